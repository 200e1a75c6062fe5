"""Bytes of protocol version 8, written out by hand from the engine's schema."""

import pytest
from pyrivet import _protocol as p
from pyrivet.errors import ProtocolError

GATEWAY, REQUEST = b"gate", b"requ"
MESSAGE = p.MessageId(GATEWAY, REQUEST, 513)

TO_ENGINE = [
    (p.Metadata({"a": p.ActorName("{}")}, None), "00 01 01 0161 027b7d 00"),
    (
        p.Events([p.EventWrapper(p.Checkpoint("x", 2, 3), p.StateUpdate(p.Running()))]),
        "01 01 0178 02000000 0300000000000000 01 00",
    ),
    (
        p.Events(
            [
                p.EventWrapper(
                    p.Checkpoint("x", 1, 0), p.StateUpdate(p.Stopped(p.StopCode.ERROR, "e"))
                )
            ]
        ),
        "01 01 0178 01000000 0000000000000000 01 01 01 01 0165",
    ),
    (
        p.Events([p.EventWrapper(p.Checkpoint("x", 1, 1), p.Intent(p.IntentStop()))]),
        "01 01 0178 01000000 0100000000000000 00 01",
    ),
    (
        p.Events([p.EventWrapper(p.Checkpoint("x", 1, 1), p.SetAlarm(-1))]),
        "01 01 0178 01000000 0100000000000000 02 01 ffffffffffffffff",
    ),
    (p.AckCommands([p.Checkpoint("", 0, 1)]), "02 01 00 00000000 0100000000000000"),
    (p.Stopping(), "03"),
    (p.Pong(256), "04 0001000000000000"),
    (p.KvRequest("x", 7, p.KvGet([b"k"])), "05 0178 07000000 00 01 016b"),
    (
        p.KvRequest("x", 7, p.KvList(p.KvPrefix(b"k"), None, 9)),
        "05 0178 07000000 01 02 016b 00 01 0900000000000000",
    ),
    (
        p.TunnelReply(MESSAGE, p.ResponseStart(200, {"a": "b"}, b"hi", stream=False)),
        "06 67617465 72657175 0102 00 c800 01 0161 0162 01 026869 00",
    ),
    (
        p.TunnelReply(MESSAGE, p.SocketMessage(b"hi", binary=True)),
        "06 67617465 72657175 0102 06 026869 01",
    ),
    (
        p.TunnelReply(MESSAGE, p.SocketClose(1000, None, hibernate=False)),
        "06 67617465 72657175 0102 08 01 e803 00 00",
    ),
    (
        p.SqlScript(1, p.SqlTarget("ns", "x", 2), "S"),
        "0c 01000000 026e73 0178 0200000000000000 0153",
    ),
    (
        p.SqlExecute(
            1,
            p.SqlTarget("ns", "x", 2),
            p.SqlStatement("S", [None, 1, 1.5, "é", b"\x00"]),
        ),
        "0d 01000000 026e73 0178 0200000000000000 0153 01 05"
        " 00 01 0100000000000000 02 3ff8000000000000 03 02c3a9 04 0100",
    ),
    (
        p.SqlBatch(1, p.SqlTarget("ns", "x", 2), [p.SqlStatement("S", None)]),
        "0e 01000000 026e73 0178 0200000000000000 01 0153 00",
    ),
]

TO_ENVOY = [
    (p.Init(15000, 2, 3), "00 983a000000000000 0200000000000000 0300000000000000"),
    (
        p.Commands(
            [p.CommandWrapper(p.Checkpoint("x", 1, 1), p.Start(p.ActorConfig("n", "k", 5, b"i")))]
        ),
        "01 01 0178 01000000 0100000000000000 00 016e 01 016b 0500000000000000 01 0169 00 00",
    ),
    (
        p.Commands([p.CommandWrapper(p.Checkpoint("x", 1, 2), p.Stop(p.StopReason.GOING_AWAY))]),
        "01 01 0178 01000000 0200000000000000 01 03",
    ),
    (p.AckEvents([p.Checkpoint("x", 1, 250)]), "02 01 0178 01000000 fa00000000000000"),
    (p.KvResponse(1, p.KvFailure("no")), "03 01000000 00 026e6f"),
    (
        p.TunnelRequest(MESSAGE, p.ClientOpen("x", None, "/c", {"a": "b"})),
        "04 67617465 72657175 0102 05 0178 00 022f63 01 0161 0162",
    ),
    (
        p.TunnelRequest(MESSAGE, p.ClientClose(None, None)),
        "04 67617465 72657175 0102 07 00 00",
    ),
    (
        p.TunnelRequest(MESSAGE, p.RequestAbort(None, 3, p.AbortKind.CANCELLED, None)),
        "04 67617465 72657175 0102 02 00 01 03000000 01 00",
    ),
    (p.Ping(1), "05 0100000000000000"),
    (p.SqlExecuted(1, p.SqlFailure("g", "c", "m")), "0c 01000000 01 0167 0163 016d"),
    (
        p.SqlExecuted(1, p.SqlResult(["a"], [[None]], 1, None)),
        "0c 01000000 00 01 0161 01 01 00 0100000000000000 00",
    ),
    (p.SqlBatchDone(1, p.SqlResults([])), "0d 01000000 00 00"),
]


@pytest.mark.parametrize(("message", "data"), TO_ENGINE)
def test_to_engine(message: p.ToEngine, data: str) -> None:
    assert p.TO_ENGINE.encode(message) == bytes.fromhex(data)
    assert p.TO_ENGINE.decode(bytes.fromhex(data)) == message


@pytest.mark.parametrize(("message", "data"), TO_ENVOY)
def test_to_envoy(message: p.ToEnvoy, data: str) -> None:
    assert p.TO_ENVOY.decode(bytes.fromhex(data)) == message
    assert p.TO_ENVOY.encode(message) == bytes.fromhex(data)


@pytest.mark.parametrize("data", ["06", "0f", "", "05 01", "0d 01000000 00 00 00"])
def test_other_bytes_are_refused(data: str) -> None:
    with pytest.raises(ProtocolError):
        p.TO_ENVOY.decode(bytes.fromhex(data))
