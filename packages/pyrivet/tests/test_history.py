"""What a worker remembers of what it and the engine have said to each other."""

from pyrivet import _protocol as p
from pyrivet._history import CommandLog, EventHistory

RUNNING = p.StateUpdate(p.Running())
STOPPED = p.StateUpdate(p.Stopped(p.StopCode.OK, None))


def indexes(history: EventHistory) -> list[tuple[str, int, int]]:
    places = [event.checkpoint for event in history.unacknowledged()]
    return [(place.actor_id, place.generation, place.index) for place in places]


def test_events_are_numbered_per_generation_and_repeated_until_acknowledged() -> None:
    history = EventHistory()
    for actor, generation in (("a", 1), ("a", 1), ("b", 1), ("a", 2)):
        history.add(actor, generation, RUNNING)
    assert indexes(history) == [("a", 1, 0), ("a", 1, 1), ("b", 1, 0), ("a", 2, 0)]
    history.acknowledge([p.Checkpoint("a", 1, 0), p.Checkpoint("c", 1, 9)])
    assert indexes(history) == [("a", 1, 1), ("b", 1, 0), ("a", 2, 0)]
    assert history.add("a", 1, RUNNING).checkpoint.index == 2


def test_stopped_generation_is_forgotten_only_when_the_engine_has_surely_read_it() -> None:
    history = EventHistory()
    history.add("a", 1, STOPPED)
    history.add("b", 1, RUNNING)
    history.pinged()
    history.pinged()
    # A reconnect: what was sent before may be lost, so pings count from here.
    assert indexes(history) == [("a", 1, 0), ("b", 1, 0)]
    for _ in range(3):
        history.pinged()
    assert indexes(history) == [("b", 1, 0)]


def test_replayed_commands_are_not_obeyed_again() -> None:
    log = CommandLog()
    first, second = p.Checkpoint("a", 1, 1), p.Checkpoint("a", 1, 2)
    assert [log.accept(each) for each in (first, second, first, second)] == [
        True,
        True,
        False,
        False,
    ]
    assert log.accept(p.Checkpoint("a", 2, 1))
    assert not log.accept(second)
    assert log.accept(p.Checkpoint("b", 1, 1))
