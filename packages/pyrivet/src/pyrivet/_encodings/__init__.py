"""How clients and actors write what they say to each other: RivetKit's three encodings.

Results and the arguments of events are prepared once, as JSON text from `_wire.dump`; an encoding
carries that text or translates it.
"""

from pyrivet._encodings.bare import BareEncoding
from pyrivet._encodings.base import Encoding, QueueRequest
from pyrivet._encodings.cbor import CborEncoding
from pyrivet._encodings.json import JsonEncoding
from pyrivet.errors import ProtocolError

JSON: Encoding = JsonEncoding()
_ENCODINGS: dict[str, Encoding] = {e.name: e for e in (JSON, CborEncoding(), BareEncoding())}
_SUBPROTOCOL = "rivet_encoding."


def encoding_named(name: str) -> Encoding:
    """Return the encoding; raises ProtocolError for an unknown name."""
    try:
        return _ENCODINGS[name]
    except KeyError:
        raise ProtocolError(f"the encodings are {', '.join(_ENCODINGS)}") from None


def encoding_offered(subprotocols: str) -> Encoding:
    """Return the one that a list of WebSocket subprotocols names; raises ProtocolError."""
    for name in subprotocols.split(","):
        if name.strip().startswith(_SUBPROTOCOL):
            return encoding_named(name.strip().removeprefix(_SUBPROTOCOL))
    raise ProtocolError("a subprotocol rivet_encoding.{name} is missing")


__all__ = ["JSON", "Encoding", "QueueRequest", "encoding_named", "encoding_offered"]
