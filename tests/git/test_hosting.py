from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from growqr.db.engine import Database
from growqr.git.backend import Backend
from growqr.git.embedded import EmbeddedForge
from growqr.git.gitea.forge import GiteaForge
from growqr.git.gitea.transport import GiteaTransport
from growqr.git.hosting import open_hosting
from growqr.settings import GitSettings

pytestmark = pytest.mark.anyio


async def test_the_setting_chooses_forge_and_transport(tmp_path: Path) -> None:
    db = Database(f"sqlite+aiosqlite:///{tmp_path}/db.sqlite")
    async with open_hosting(GitSettings(), tmp_path, db) as hosting:
        assert isinstance(hosting.forge, EmbeddedForge)
        assert isinstance(hosting.transport, Backend)
    gitea = GitSettings(
        provider="gitea", gitea_url="http://127.0.0.1:9/", gitea_token=SecretStr("x")
    )
    async with open_hosting(gitea, tmp_path, db) as hosting:
        assert isinstance(hosting.forge, GiteaForge)
        assert isinstance(hosting.transport, GiteaTransport)
    await db.aclose()


@pytest.mark.parametrize(("url", "token"), [("", "x"), ("gitea.example", "x"), ("http://x", "")])
def test_gitea_needs_an_address_and_a_token(url: str, token: str) -> None:
    with pytest.raises(ValidationError, match="GROWQR_GIT__GITEA_"):
        GitSettings(provider="gitea", gitea_url=url, gitea_token=SecretStr(token))
