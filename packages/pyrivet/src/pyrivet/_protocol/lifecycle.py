"""What the engine tells an envoy to do with actors, and what the envoy reports of them."""

import enum
from dataclasses import dataclass, field

from pyrivet._bare import I64, U32
from pyrivet._protocol.kv import KvMetadata
from pyrivet._protocol.tunnel import Id4


class StopReason(enum.IntEnum):
    SLEEP_INTENT = 0
    STOP_INTENT = 1
    DESTROY = 2
    GOING_AWAY = 3
    LOST = 4


class StopCode(enum.IntEnum):
    OK = 0
    ERROR = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    actor_id: str
    generation: U32
    index: I64


# Events: what happened to an actor, envoy to engine.


@dataclass(frozen=True, slots=True)
class IntentSleep: ...


@dataclass(frozen=True, slots=True)
class IntentStop: ...


@dataclass(frozen=True, slots=True)
class Intent:
    intent: IntentSleep | IntentStop


@dataclass(frozen=True, slots=True)
class Running: ...


@dataclass(frozen=True, slots=True)
class Stopped:
    code: StopCode
    message: str | None


@dataclass(frozen=True, slots=True)
class StateUpdate:
    state: Running | Stopped


@dataclass(frozen=True, slots=True)
class SetAlarm:
    alarm_ts: I64 | None


ActorEvent = Intent | StateUpdate | SetAlarm


@dataclass(frozen=True, slots=True)
class EventWrapper:
    checkpoint: Checkpoint
    inner: ActorEvent


# Commands: what an envoy must do, engine to envoy.


@dataclass(frozen=True, slots=True)
class HibernatingRequest:
    gateway_id: Id4
    request_id: Id4


@dataclass(frozen=True, slots=True)
class PreloadedEntry:
    key: bytes
    value: bytes
    metadata: KvMetadata


@dataclass(frozen=True, slots=True)
class PreloadedKv:
    entries: list[PreloadedEntry]
    requested_get_keys: list[bytes]
    requested_prefixes: list[bytes]


@dataclass(frozen=True, slots=True)
class ActorConfig:
    name: str
    key: str | None
    create_ts: I64
    input: bytes | None


@dataclass(frozen=True, slots=True)
class Start:
    config: ActorConfig
    hibernating_requests: list[HibernatingRequest] = field(default_factory=list)
    preloaded_kv: PreloadedKv | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    reason: StopReason


@dataclass(frozen=True, slots=True)
class CommandWrapper:
    checkpoint: Checkpoint
    inner: Start | Stop
