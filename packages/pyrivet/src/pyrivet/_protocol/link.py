"""The connection itself: what opens it, keeps it, and carries the news of actors."""

from dataclasses import dataclass

from pyrivet._bare import I64, U64
from pyrivet._protocol.lifecycle import Checkpoint, CommandWrapper, EventWrapper


@dataclass(frozen=True, slots=True)
class ActorName:
    metadata: str


@dataclass(frozen=True, slots=True)
class Metadata:
    actor_names: dict[str, ActorName] | None
    metadata: str | None


@dataclass(frozen=True, slots=True)
class Events:
    events: list[EventWrapper]


@dataclass(frozen=True, slots=True)
class AckCommands:
    checkpoints: list[Checkpoint]


@dataclass(frozen=True, slots=True)
class Stopping: ...


@dataclass(frozen=True, slots=True)
class Pong:
    ts: I64


@dataclass(frozen=True, slots=True)
class Init:
    lost_threshold_ms: I64
    stop_threshold_ms: I64
    max_response_bytes: U64


@dataclass(frozen=True, slots=True)
class Commands:
    commands: list[CommandWrapper]


@dataclass(frozen=True, slots=True)
class AckEvents:
    checkpoints: list[Checkpoint]


@dataclass(frozen=True, slots=True)
class Ping:
    ts: I64
