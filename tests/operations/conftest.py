"""A small installation on disk: accounts, repositories and signed snapshots, no engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete

from growqr.agents.snapshot import PATH, SavedActor, SavedRepo, SavedUser, Snapshot
from growqr.db.tables import ActorRow, Repo, User
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import Author, Change, RepoRef
from growqr.git.gitea.forge import GiteaForge
from growqr.git.hosting import make_forge
from growqr.ids import new_id
from growqr.operations.stores import open_stores
from growqr.settings import Settings


@dataclass
class Installation:
    """A data folder; `ids` are those of the people made so far."""

    settings: Settings

    @contextmanager
    def forge(self) -> Iterator[EmbeddedForge | GiteaForge]:
        """The forge, signing with this installation's keys."""
        forge = make_forge(self.settings.git, self.settings.data_dir)
        try:
            yield forge
        finally:
            forge.close()

    async def add_person(self, name: str, *, account: bool = True) -> str:
        """Make a person with a life repository and a project; returns their user id."""
        user_id, repo_id = f"usr_{name}", f"rep_{name}"
        with self.forge() as forge:
            await forge.create(RepoRef(repo_id, user_id, "grow"))
            await forge.create(RepoRef(f"rep_{name}2", user_id, "tool"))
        await self.write_snapshot(repo_id, snapshot_of(name), f"act_{name}_grow")
        if account:
            await self.register(name)
        return user_id

    async def register(self, name: str) -> None:
        user = User(id=f"usr_{name}", email=f"{name}@example.com", name=name, password_hash="x")
        async with open_stores(self.settings) as stores, stores.db.session() as session:
            session.add(user)

    async def write_snapshot(
        self, repo_id: str, saved: Snapshot, author: str, *, signed: bool = True
    ) -> None:
        repo = RepoRef(repo_id, f"usr_{repo_id.removeprefix('rep_')}", "grow")
        with self.forge() as forge:
            forge.sign = forge.sign if signed else None
            await CommitService(forge, self.settings.git).commit(
                repo,
                actor=Author(author, "grow", frozenset({"git.commit:**"})),
                kind="snapshot",
                scope="state",
                what="snapshot",
                changes=[Change(PATH, saved.text().encode())],
                operation=new_id("op"),
            )

    async def rows(self) -> dict[str, list[str]]:
        """What the registry holds, by table."""
        async with open_stores(self.settings) as stores, stores.db.session() as session:
            users = (await session.scalars(User.__table__.select())).all()
            repos = (await session.execute(Repo.__table__.select())).all()
            actors = (await session.execute(ActorRow.__table__.select())).all()
        return {
            "users": sorted(users),
            "repos": sorted(f"{row.id} {row.owner_id} {row.name} {row.kind}" for row in repos),
            "actors": sorted(f"{row.id} {row.user_id} {row.name}" for row in actors),
        }

    async def lose_registry(self) -> None:
        """Drop every row but the accounts."""
        async with open_stores(self.settings) as stores, stores.db.session() as session:
            await session.execute(delete(ActorRow))
            await session.execute(delete(Repo))


def snapshot_of(name: str, *, user_id: str | None = None) -> Snapshot:
    """What the Grow Agent of that person would write."""
    agents = ("grow", "coding", "repo", "quest")
    return Snapshot(
        user=SavedUser(id=user_id or f"usr_{name}", name=name),
        actors=[
            SavedActor.model_validate(
                {
                    "id": f"act_{name}_{agent}",
                    "name": agent,
                    "channel_id": f"chn_{name}_{agent}",
                    "workspace_id": f"wsp_{name}_{agent}",
                }
            )
            for agent in agents
        ],
        repos=[
            SavedRepo(id=f"rep_{name}2", name="tool", kind="project", created_at=datetime.now(UTC))
        ],
        tasks=[],
        messages=[],
    )


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(Settings(data_dir=tmp_path / "data"))
