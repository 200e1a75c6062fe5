"""The operator's commands of `growqr`: bring back, carry away, check."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from growqr.errors import GrowError
from growqr.settings import Settings

T = TypeVar("T")
_err = Console(stderr=True)


def register(app: typer.Typer, settings: Callable[[], Settings]) -> None:
    """Add the commands to `app`; `settings` reads the environment when a command runs."""

    @app.command()
    def restore(
        user: Annotated[list[str] | None, typer.Option(help="E-mail address or id.")] = None,
        everyone: Annotated[bool, typer.Option("--all", help="Every account.")] = False,
        invite: Annotated[
            list[str] | None,
            typer.Option(help="EMAIL=REPO: join an account to a life repository."),
        ] = None,
    ) -> None:
        """Rebuild registry and agents from the repositories. Stop the platform first."""
        from growqr.operations.restore import Outcome

        if not (user or everyone or invite):
            _fail("say whom: --all, --user EMAIL, or --invite EMAIL=REPO", 2)
        outcomes: list[Outcome] = _alone(
            settings(), lambda held: _restore(held, user or [], everyone, invite or [])
        )
        for outcome in outcomes:
            typer.echo(f"{outcome.repo_id} {outcome.user}: {outcome.state} ({outcome.detail})")
        if not outcomes:
            typer.echo("There is no life repository in the data folder.")


async def _restore(
    settings: Settings, users: list[str], everyone: bool, invitations: list[str]
) -> Any:
    from growqr.operations.restore import invite, restore_all, restore_user
    from growqr.operations.stores import open_stores

    outcomes = []
    async with open_stores(settings) as stores:
        for invitation in invitations:
            email, _, repo_id = invitation.partition("=")
            outcomes.append(await invite(stores, await stores.user(email), repo_id))
        for user in users:
            outcomes.append(await restore_user(stores, await stores.user(user)))
        if everyone:
            outcomes += await restore_all(stores)
    return outcomes


def _alone(settings: Settings, work: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """Run `work` while no platform uses the data folder."""
    from growqr.app import StartFailed, hold_data_folder

    try:
        with hold_data_folder(settings.data_dir, "all"):
            return _run(work(settings))
    except StartFailed as error:
        _fail(str(error))
        raise


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except GrowError as error:
        _fail(error.detail)
        raise


def _fail(why: str, code: int = 1) -> None:
    _err.print(f"growqr: {why}", markup=False, highlight=False)
    raise typer.Exit(code)
