"""Structured logs: dotted event names plus ids, for people on a terminal, as JSON in a file."""

import logging
import sys
from logging.handlers import RotatingFileHandler, WatchedFileHandler
from pathlib import Path

import structlog

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


_MOST_BYTES = 50 * 1024 * 1024
_OLDER_FILES = 3


def configure_logs(level: str, folder: Path, *, alone: bool) -> None:
    """Send every log line of `level` or above to `folder/growqr.log`, warnings to stderr too.

    Lines of the standard `logging` module go the same way. `alone`: no other process writes there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    to_file = file_handler(folder / "growqr.log", alone=alone)
    to_file.setFormatter(_formatter(structlog.processors.JSONRenderer()))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setLevel(logging.WARNING)
    to_terminal.setFormatter(_formatter(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())))
    logging.basicConfig(level=level.upper(), handlers=[to_file, to_terminal], force=True)
    # These log every request or frame; at info they say nothing that ours don't.
    for chatty in ("httpx", "httpcore", "httpx2", "httpcore2", "websockets", "aiosqlite", "openai"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def file_handler(file: Path, *, alone: bool) -> logging.Handler:
    """Keep the newest lines, in a few files, if `alone`; else leave that to the host's logrotate.

    Several processes would take each other's file away.
    """
    if not alone:
        return WatchedFileHandler(file, encoding="utf-8")
    return RotatingFileHandler(
        file, maxBytes=_MOST_BYTES, backupCount=_OLDER_FILES, encoding="utf-8"
    )


def _formatter(renderer: structlog.typing.Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
