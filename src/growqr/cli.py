"""The `growqr` command."""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.table import Table

from growqr import __version__
from growqr.operations import commands as operations
from growqr.settings import Settings, variables
from growqr.testing import READY

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="One durable Grow Agent per person. Settings come from GROWQR_* variables; "
    "docs/settings.md lists them all.",
)
_out = Console()
_err = Console(stderr=True)

Role = Literal["all", "api", "worker"]


@app.command()
def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds all state.")] = None,
) -> None:
    """Run everything in one process: engine, worker, API and web app."""
    _serve("all", _settings(host=host, port=port, data_dir=data_dir))


@app.command()
def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Run the API and web app only; needs GROWQR_RIVET__ENDPOINT and a worker elsewhere."""
    _serve("api", _needs_engine(_settings(host=host, port=port)))


@app.command()
def worker() -> None:
    """Run a worker only; needs GROWQR_RIVET__ENDPOINT. Serves /healthz on HOST:PORT."""
    _serve("worker", _needs_engine(_settings()))


@app.command()
def doctor() -> None:
    """Show what is set, what is there, and what to do about the rest. Prints no secret."""
    from growqr.app import find_engine
    from growqr.doctor import examine, values_set
    from growqr.opencode import find_opencode

    settings = _settings()
    changed = list(values_set(settings))
    for name, value in changed:
        _out.print(f"{name}={value}", highlight=False, markup=False)
    if not changed:
        _out.print("No GROWQR_ variable is set: these are the defaults.")
    marks = {"ok": "[green]ok[/]", "limited": "[yellow]limited[/]", "wrong": "[red]wrong[/]"}
    table = Table("part", "state")
    table.add_column("found", overflow="fold")
    table.add_column("what to do", overflow="fold")
    findings = list(
        examine(
            settings,
            engine=lambda: find_engine(settings),
            opencode=lambda: find_opencode(settings.sandbox),
        )
    )
    for finding in findings:
        table.add_row(finding.part, marks[finding.state], finding.found, finding.advice)
    _out.print(table)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


@app.command()
def openapi() -> None:
    """Print the API's OpenAPI document as JSON."""
    from growqr.app import api_document

    _out.print_json(json.dumps(api_document()))


@app.command()
def version() -> None:
    """Print the version."""
    _out.print(__version__, highlight=False)


operations.register(app, lambda: _settings())
operations.register_ssh(app, lambda: _settings())


def main() -> None:
    """Run the command line; a wrong setting ends it with a message, not a trace."""
    app()


def _settings(**given: object) -> Settings:
    for name in sorted(os.environ.keys() - set(variables())):
        # Those of tests are theirs; names are read whatever their case.
        if name.startswith("GROWQR_") and not name.startswith("GROWQR_TEST_"):
            _complain(f"{name} is no setting and does nothing; docs/settings.md lists them all")
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            message = problem["msg"].removeprefix("Value error, ")
            if "GROWQR_" not in message:
                message = f"GROWQR_{'__'.join(map(str, problem['loc'])).upper()}: {message}"
            _complain(message)
        raise typer.Exit(2) from None
    except SettingsError as error:
        text = getattr(error.__cause__, "doc", None)  # what was to be JSON
        name = next((name for name, value in os.environ.items() if value == text), "GROWQR_…")
        _complain(f"{name}: not JSON: {error.__cause__ or error}")
        raise typer.Exit(2) from None


def _complain(message: str) -> None:
    _err.print(f"growqr: {message}", markup=False, highlight=False, soft_wrap=True)


def _needs_engine(settings: Settings) -> Settings:
    if not settings.rivet.endpoint:
        _complain("set GROWQR_RIVET__ENDPOINT, or use `growqr up`")
        raise typer.Exit(2)
    return settings


def _serve(role: Role, settings: Settings) -> None:
    from growqr.app import StartFailed, create_app, hold_data_folder
    from growqr.logs import configure_logs

    listener = _listen(settings)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    try:
        with hold_data_folder(settings.data_dir, role):
            alone = role == "all"
            configure_logs(settings.log_level, settings.data_dir / "logs", alone=alone)
            config = uvicorn.Config(
                create_app(settings, role),
                log_config=None,
                access_log=False,
                loop="uvloop",
                timeout_graceful_shutdown=3,
                # Streams to browsers stay open for hours; a ping is the stream's own business.
                timeout_keep_alive=30,
            )
            server = _Server(config, settings)
            server.run(sockets=[listener])
            if not server.started:
                raise typer.Exit(1)
    except StartFailed as error:
        _complain(str(error))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        pass  # uvicorn raises it again after it has stopped everything


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        _complain(
            f"can't listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Stop what uses it, or choose another port with --port or GROWQR_PORT."
        )
        raise typer.Exit(1) from None
    return listener


class _Server(uvicorn.Server):
    """Says when it is ready, where, and how to stop it."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(f"{READY}{self._settings.base_url} (Ctrl-C stops it)\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
