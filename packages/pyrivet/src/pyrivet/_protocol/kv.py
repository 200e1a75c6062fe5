"""The key-value store of an actor."""

from dataclasses import dataclass

from pyrivet._bare import I64, U32, U64


@dataclass(frozen=True, slots=True)
class KvMetadata:
    version: bytes
    update_ts: I64


@dataclass(frozen=True, slots=True)
class KvGet:
    keys: list[bytes]


@dataclass(frozen=True, slots=True)
class KvAll: ...


@dataclass(frozen=True, slots=True)
class KvRange:
    start: bytes
    end: bytes
    exclusive: bool


@dataclass(frozen=True, slots=True)
class KvPrefix:
    key: bytes


@dataclass(frozen=True, slots=True)
class KvList:
    query: KvAll | KvRange | KvPrefix
    reverse: bool | None
    limit: U64 | None


@dataclass(frozen=True, slots=True)
class KvPut:
    keys: list[bytes]
    values: list[bytes]


@dataclass(frozen=True, slots=True)
class KvDelete:
    keys: list[bytes]


@dataclass(frozen=True, slots=True)
class KvDeleteRange:
    start: bytes
    end: bytes


@dataclass(frozen=True, slots=True)
class KvDrop: ...


@dataclass(frozen=True, slots=True)
class KvFailure:
    message: str


@dataclass(frozen=True, slots=True)
class KvGot:
    keys: list[bytes]
    values: list[bytes]
    metadata: list[KvMetadata]


@dataclass(frozen=True, slots=True)
class KvListed:
    keys: list[bytes]
    values: list[bytes]
    metadata: list[KvMetadata]


@dataclass(frozen=True, slots=True)
class KvDone: ...


@dataclass(frozen=True, slots=True)
class KvDeleted: ...


@dataclass(frozen=True, slots=True)
class KvDropped: ...


KvOperation = KvGet | KvList | KvPut | KvDelete | KvDeleteRange | KvDrop
KvAnswer = KvFailure | KvGot | KvListed | KvDone | KvDeleted | KvDropped


@dataclass(frozen=True, slots=True)
class KvRequest:
    actor_id: str
    request_id: U32
    data: KvOperation


@dataclass(frozen=True, slots=True)
class KvResponse:
    request_id: U32
    data: KvAnswer
