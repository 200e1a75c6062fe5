"""The file that somebody takes along whose erasing has begun"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("users", sa.Column("leaving", sa.String(length=255), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "leaving")
