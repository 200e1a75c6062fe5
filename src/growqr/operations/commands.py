"""The operator's commands of `growqr`: bring back, carry away, check."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from growqr.errors import GrowError
from growqr.settings import Settings

T = TypeVar("T")


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

    @app.command()
    def backup(
        file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
        user: Annotated[list[str] | None, typer.Option(help="E-mail address or id.")] = None,
    ) -> None:
        """Copy accounts and repositories into one file. The platform may be running."""
        from growqr.operations.backup import write_backup

        done = _run(write_backup(settings(), file, user or []))
        held = f"{done.accounts} accounts, {done.repos} repositories, {done.size} bytes"
        typer.echo(f"{file}: {held}")
        typer.echo("It holds password hashes and people's memories: keep it where nobody reads it.")

    @app.command("import")
    def import_(file: Annotated[Path, typer.Argument(help="A file that `backup` made.")]) -> None:
        """Take over accounts, repositories and agents of a backup. Stop the platform first."""
        from growqr.operations.importing import read_backup

        for line in _alone(settings(), lambda held: read_backup(held, file)):
            typer.echo(line)

    @app.command()
    def verify(
        user: Annotated[list[str] | None, typer.Option(help="E-mail address or id.")] = None,
        allowed_signers: Annotated[
            Path | None,
            typer.Option(help="Also write the keys here, for `git verify-commit`."),
        ] = None,
    ) -> None:
        """Tell whether every commit was made by whom it names; ends with 1 if one was not."""
        from growqr.operations.verify import verify_users

        checked = _run(verify_users(settings(), user or [], allowed_signers))
        for repo in checked:
            by_kind: dict[str, int] = {
                kind: n for kind, n in repo.counts.items() if kind != "pushed"
            }
            by_kind |= {f"pushed by {who}": n for who, n in repo.pushed_by.items()}
            counts = ", ".join(f"{count} {kind}" for kind, count in sorted(by_kind.items()))
            state = "good" if repo.good else "NOT GOOD"
            typer.echo(f"{repo.owner} {repo.name} ({repo.repo_id}): {state}: {counts}")
            for finding in repo.findings:
                typer.echo(
                    f"  {finding.sha} {finding.verdict}: names {finding.named}: {finding.subject}"
                )
        if not all(repo.good for repo in checked):
            raise typer.Exit(1)

    @app.command()
    def capabilities(
        user: Annotated[str, typer.Argument(metavar="EMAIL", help="E-mail address or id.")],
        agent: Annotated[str, typer.Argument(help="Such as `coding`.")],
        add: Annotated[
            list[str] | None, typer.Option(metavar="CAPABILITY", help="What it may do, too.")
        ] = None,
        remove: Annotated[
            list[str] | None, typer.Option(metavar="CAPABILITY", help="What it may no longer do.")
        ] = None,
    ) -> None:
        """List what one person's agent may do, or change it. The platform may be running."""
        from growqr.operations.capabilities import change_capabilities

        changing = change_capabilities(settings(), user, agent, add=add or [], remove=remove or [])
        for capability in _run(changing):
            typer.echo(capability)
        if add or remove:
            typer.echo("The agent goes by this from its next start on.", err=True)

    @app.command()
    def exports(
        user: Annotated[list[str] | None, typer.Option(help="E-mail address or id.")] = None,
    ) -> None:
        """List the files with everything of a person that are kept, also of those who left."""
        from growqr.api.export_folder import ExportFolder

        held = settings()
        folder = ExportFolder(held.data_dir.resolve() / "exports", held.identity.export_days)
        for kept in folder.all():
            if user and not {kept.email, kept.user_id} & set(user):
                continue
            file = kept.export
            until = f"until {file.expires_at:%Y-%m-%d %H:%M} UTC"
            typer.echo(f"{kept.email} ({kept.user_id}): {file.size} bytes, {until}")
            typer.echo(f"  {kept.path}")
            typer.echo(f"  {held.base_url}/auth/exports/{file.name}")

    keys = typer.Typer(no_args_is_help=True, help="The keys that sign our tokens.")
    app.add_typer(keys, name="keys")

    @keys.command()
    def rotate(
        revoke: Annotated[
            bool, typer.Option(help="A key got out: refuse at once what it has signed.")
        ] = False,
    ) -> None:
        """Sign with a new key, once everybody has read it. The platform may be running."""
        from growqr.identity.keys import AHEAD_SECONDS
        from growqr.identity.tokens import TokenService

        held = settings()
        lifetime = timedelta(minutes=held.identity.access_minutes)
        tokens = TokenService.open(held.data_dir.resolve() / "secrets", lifetime)
        new = tokens.rotate(revoke=revoke)
        if revoke:
            typer.echo(f"New tokens are signed with {new} from now on.")
            typer.echo("Older ones are refused; people's apps renew theirs by themselves.")
        else:
            wait = AHEAD_SECONDS // 60
            typer.echo(f"{new} is published now, and signs new tokens in {wait} minutes.")
            typer.echo("Older tokens stay good to their ends.")


def register_ssh(app: typer.Typer, settings: Callable[[], Settings]) -> None:
    """Add what an OpenSSH server runs for deploy keys; see docs/operations.md."""

    @app.command("ssh-keys")
    def ssh_keys(
        key_type: Annotated[str | None, typer.Argument(metavar="TYPE")] = None,
        key: Annotated[str | None, typer.Argument(metavar="KEY")] = None,
        program: Annotated[str, typer.Option(help="What runs `growqr` there.")] = "growqr",
    ) -> None:
        """Print what sshd has to know of a deploy key, or of all of them."""
        from growqr.operations.ssh import lines

        wanted = f"{key_type} {key}" if key_type and key else None
        for line in _run(lines(settings(), program, wanted)):
            typer.echo(line)

    @app.command("ssh-serve")
    def ssh_serve(mark: Annotated[str, typer.Argument(help="Which key it is.")]) -> None:
        """Serve one connection of a deploy key; sshd runs this."""
        from growqr.operations.ssh import command

        asked = os.environ.get("SSH_ORIGINAL_COMMAND", "")
        protocol = os.environ.get("GIT_PROTOCOL", "")
        git = _run(command(settings(), mark, asked, protocol))
        os.execve(git.program, list(git.arguments), git.environment)  # noqa: S606  # no shell is wanted


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
    typer.echo(f"growqr: {why}", err=True)
    raise typer.Exit(code)
