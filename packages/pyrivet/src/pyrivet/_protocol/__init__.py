"""Messages between Rivet Engine and an envoy, protocol version 8.

Field names follow the engine's schema. Each module is one subject; together they are `p` for
the rest of the package.
"""

from pyrivet._bare import Codec, union
from pyrivet._protocol.kv import *  # noqa: F403
from pyrivet._protocol.kv import KvRequest, KvResponse
from pyrivet._protocol.lifecycle import *  # noqa: F403
from pyrivet._protocol.link import *  # noqa: F403
from pyrivet._protocol.link import (
    AckCommands,
    AckEvents,
    Commands,
    Events,
    Init,
    Metadata,
    Ping,
    Pong,
    Stopping,
)
from pyrivet._protocol.sqlite import *  # noqa: F403
from pyrivet._protocol.sqlite import (
    SqlBatch,
    SqlBatchDone,
    SqlExecute,
    SqlExecuted,
    SqlScript,
    SqlScriptDone,
)
from pyrivet._protocol.tunnel import *  # noqa: F403
from pyrivet._protocol.tunnel import TunnelReply, TunnelRequest

VERSION = 8

ToEngine = (
    Metadata
    | Events
    | AckCommands
    | Stopping
    | Pong
    | KvRequest
    | TunnelReply
    | SqlScript
    | SqlExecute
    | SqlBatch
)

ToEnvoy = (
    Init
    | Commands
    | AckEvents
    | KvResponse
    | TunnelRequest
    | Ping
    | SqlScriptDone
    | SqlExecuted
    | SqlBatchDone
)

_TO_ENGINE: dict[int, type] = {
    0: Metadata,
    1: Events,
    2: AckCommands,
    3: Stopping,
    4: Pong,
    5: KvRequest,
    6: TunnelReply,
    12: SqlScript,
    13: SqlExecute,
    14: SqlBatch,
}
_TO_ENVOY: dict[int, type] = {
    0: Init,
    1: Commands,
    2: AckEvents,
    3: KvResponse,
    4: TunnelRequest,
    5: Ping,
    11: SqlScriptDone,
    12: SqlExecuted,
    13: SqlBatchDone,
}

TO_ENGINE: Codec[ToEngine] = union(_TO_ENGINE)
"""Messages an envoy sends, each a whole WebSocket frame."""
TO_ENVOY: Codec[ToEnvoy] = union(_TO_ENVOY)
"""Messages an envoy receives."""
