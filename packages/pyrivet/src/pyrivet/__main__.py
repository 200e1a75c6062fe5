"""`python -m pyrivet`: Rivet Engine, for as long as one needs it."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from pyrivet.engine import Engine, find_engine
from pyrivet.errors import EngineError


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pyrivet",
        description="Run Rivet Engine until Ctrl-C, reachable from this machine only.",
        epilog="RIVET_TOKEN, if set, is the admin token that workers then need.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("rivet-data"),
        help="folder that it keeps (default: rivet-data)",
    )
    parser.add_argument("--port", type=int, default=6420, help="where it answers (default: 6420)")
    parser.add_argument(
        "--binary", type=Path, help="rivet-engine (default: from node_modules, here or above)"
    )
    return parser.parse_args()


async def serve(binary: Path, data: Path, port: int) -> None:
    """Run the engine until a signal asks for its end."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with Engine(binary, data, port=port, token=os.environ.get("RIVET_TOKEN")) as engine:
        sys.stdout.write(f"Rivet Engine answers at {engine.endpoint}\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> None:
    given = arguments()
    try:
        asyncio.run(serve(given.binary or find_engine(), given.data, given.port))
    except EngineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
