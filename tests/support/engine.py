"""A real Rivet Engine for tests, in a thread of its own so that any scope can share it."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyrivet import Engine

from growqr.app import find_engine
from growqr.settings import Settings


@contextmanager
def running_engine(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run an engine with its data in `folder`; yields its endpoint."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="engine", daemon=True)
    thread.start()
    engine = Engine(find_engine(Settings()), folder, settings=settings)
    try:
        asyncio.run_coroutine_threadsafe(engine.__aenter__(), loop).result(60)
        try:
            yield engine.endpoint
        finally:
            asyncio.run_coroutine_threadsafe(engine.__aexit__(None, None, None), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
