"""The line in which workspaces wait for one of the few places to run, and for their start."""

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Evict = Callable[[str], bool]
"""Gives the place up soon, for the reason given; False: it is in use after all."""
MostOf = Callable[[str], Awaitable[int | None]]
"""How many places a person may hold by their plan; None: no limit of the plan."""
Moved = Callable[[int | None], None]
"""Told how many are ahead; None: one's own places are all taken, or promised to one's others."""


@dataclass(eq=False)
class _Ticket:
    user_id: str
    most: int
    """Places that its person may hold."""
    number: int
    moved: Moved
    granted: asyncio.Future[None]
    ahead: int | None = field(default=-1)  # nobody has been told this number


class Line:
    """Hands out places so that nobody's many tasks starve another person's one.

    A free place goes to whoever holds the fewest; among equals, to who got one the longest ago,
    and then to who asked first. Nobody holds more than `per_user`, or than `most_of` says, which
    is asked once for each place. When a place is wanted, an idle holder is asked to leave.
    """

    def __init__(self, places: int, per_user: int, most_of: MostOf | None = None) -> None:
        self._free = places
        self._per_user = per_user
        self._most_of = most_of
        self._held: Counter[str] = Counter()
        self._served: dict[str, int] = {}
        """Number of the last place that each person got; the longer ago, the lower."""
        self._turn = 0
        self._waiting: list[_Ticket] = []
        self._numbers = itertools.count()
        self._idle: dict[object, tuple[str, Evict]] = {}
        self._starts = asyncio.Semaphore(len(os.sched_getaffinity(0)))

    async def take(self, user_id: str, moved: Moved = lambda _: None) -> None:
        """Wait for a place; give it back with `give`. Raises what `most_of` raises."""
        most = self._per_user
        if self._most_of is not None and (by_plan := await self._most_of(user_id)) is not None:
            most = min(most, by_plan)
        granted = asyncio.get_running_loop().create_future()
        ticket = _Ticket(user_id, most, next(self._numbers), moved, granted)
        self._waiting.append(ticket)
        self._go_on()
        if ticket in self._waiting:
            self._ask_one_to_leave(ticket)
        try:
            await granted
        except asyncio.CancelledError:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                self._go_on()
            else:
                self.give(user_id)  # it came in the same moment
            raise

    def give(self, user_id: str) -> None:
        """Give a place back."""
        self._free += 1
        self._held[user_id] -= 1
        self._go_on()

    @asynccontextmanager
    async def start(self, crowded: Callable[[], None]) -> AsyncIterator[None]:
        """Start inside this block, in which no more are at once than there are processors.

        A start takes more than a second of a processor: twenty at once would end together after
        half a minute, where these end one after the other. `crowded` is called before a wait.
        """
        if self._starts.locked():
            crowded()
        async with self._starts:
            yield

    def idle(self, holder: object, user_id: str, evict: Evict) -> None:
        """Say that `holder` could give its place up if somebody waits."""
        self._idle[holder] = (user_id, evict)
        if self._waiting:
            order = self._order()
            self._ask_one_to_leave(order[0] if order else self._waiting[0])

    def in_use(self, holder: object) -> None:
        """Say that `holder` needs its place, or has none any more."""
        self._idle.pop(holder, None)

    def _order(self) -> list[_Ticket]:
        """Return who gets the next places, in this order; who is at their limit is left out."""
        # One whose wait has been cancelled takes itself out at its next step.
        left, order = [one for one in self._waiting if not one.granted.done()], list[_Ticket]()
        held = {one.user_id: self._held[one.user_id] for one in left}
        served = {one.user_id: self._served.get(one.user_id, -1) for one in left}
        turns = itertools.count(self._turn)
        while may := [ticket for ticket in left if held[ticket.user_id] < ticket.most]:
            first = min(
                may,
                key=lambda one: (held[one.user_id], served[one.user_id], one.number),
            )
            held[first.user_id] += 1
            served[first.user_id] = next(turns)
            left.remove(first)
            order.append(first)
        return order

    def _go_on(self) -> None:
        """Hand out what is free and tell the others where they are."""
        order = self._order()
        served, self._free = order[: self._free], self._free - min(self._free, len(order))
        for ticket in served:
            self._held[ticket.user_id] += 1
            self._served[ticket.user_id] = self._turn
            self._turn += 1
            self._waiting.remove(ticket)
            ticket.granted.set_result(None)
        places = {ticket: ahead for ahead, ticket in enumerate(order[len(served) :])}
        for ticket in list(self._waiting):
            ahead = places.get(ticket)
            if ahead != ticket.ahead:
                ticket.ahead = ahead
                ticket.moved(ahead)

    def _ask_one_to_leave(self, ticket: _Ticket) -> None:
        """Ask who was idle first; for a person at their limit, only one of their own."""
        own_only = self._held[ticket.user_id] >= ticket.most
        for holder, (user_id, evict) in list(self._idle.items()):
            if own_only and user_id != ticket.user_id:
                continue
            del self._idle[holder]
            if evict("another task needed its place"):
                return
