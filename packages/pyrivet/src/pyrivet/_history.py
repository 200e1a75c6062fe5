"""What both ends of the engine's link have already seen, so that a reconnect repeats nothing."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from pyrivet._protocol import ActorEvent, Checkpoint, EventWrapper, StateUpdate, Stopped

_KEPT_ACTORS = 10_000
_PINGS_TO_SETTLE = 2


@dataclass(slots=True)
class _Generation:
    next_index: int = 0
    events: list[EventWrapper] = field(default_factory=list)
    stopped: bool = False
    pings: int = 0


class EventHistory:
    """Events of actors, numbered per generation and kept until the engine surely has them.

    The engine acknowledges only every 250 events, which a short-lived actor never reaches. A
    stopped generation is therefore also forgotten once two pings have come after its last event
    was sent: the engine reads in order, so it has read that event.
    """

    def __init__(self) -> None:
        self._generations: dict[tuple[str, int], _Generation] = {}

    def add(self, actor_id: str, generation: int, event: ActorEvent) -> EventWrapper:
        kept = self._generations.setdefault((actor_id, generation), _Generation())
        wrapper = EventWrapper(Checkpoint(actor_id, generation, kept.next_index), event)
        kept.next_index += 1
        kept.events.append(wrapper)
        kept.pings = 0
        if isinstance(event, StateUpdate) and isinstance(event.state, Stopped):
            kept.stopped = True
        return wrapper

    def acknowledge(self, checkpoints: Iterable[Checkpoint]) -> None:
        for seen in checkpoints:
            kept = self._generations.get((seen.actor_id, seen.generation))
            if kept is not None:
                kept.events = [e for e in kept.events if e.checkpoint.index > seen.index]

    def unacknowledged(self) -> list[EventWrapper]:
        """Return what must be sent again on a new connection, in order per generation."""
        for kept in self._generations.values():
            kept.pings = 0
        return [event for kept in self._generations.values() for event in kept.events]

    def pinged(self) -> None:
        """Note a ping of the engine and forget what it must have read by now."""
        for key, kept in list(self._generations.items()):
            if kept.stopped:
                kept.pings += 1
                if kept.pings > _PINGS_TO_SETTLE:
                    del self._generations[key]


class CommandLog:
    """Tells new commands from those the engine replays after a reconnect."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def accept(self, checkpoint: Checkpoint) -> bool:
        """Return whether this command is new; remembers it."""
        place = (checkpoint.generation, checkpoint.index)
        if place <= self._seen.get(checkpoint.actor_id, (0, 0)):
            return False
        self._seen[checkpoint.actor_id] = place
        self._seen.move_to_end(checkpoint.actor_id)
        if len(self._seen) > _KEPT_ACTORS:
            self._seen.popitem(last=False)
        return True
