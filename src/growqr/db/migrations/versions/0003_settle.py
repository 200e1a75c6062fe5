"""The repo agent may carry out what the user decided about a conflict"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_MORE = "\ngit.settle"


def upgrade() -> None:
    op.execute(
        sa.text(
            "UPDATE actors SET capabilities = capabilities || :more WHERE name = 'repo'"
        ).bindparams(more=_MORE)
    )


def downgrade() -> None:
    op.execute(
        sa.text(
            "UPDATE actors SET capabilities = REPLACE(capabilities, :more, '') WHERE name = 'repo'"
        ).bindparams(more=_MORE)
    )
