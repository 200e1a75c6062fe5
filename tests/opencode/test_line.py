import asyncio
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growqr.errors import EntitlementRequired
from growqr.opencode.line import Line

pytestmark = pytest.mark.anyio

PER_USER = 2
USERS = "abc"
operations = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(USERS)),
        st.tuples(st.just("leave"), st.integers(0, 20)),
        st.tuples(st.just("give up"), st.integers(0, 20)),
    ),
    max_size=40,
)


@dataclass(eq=False)
class Guest:
    """Somebody who asks for a place and tells what came of it."""

    user_id: str
    number: int
    served: list["Guest"]
    told: list[int | None] = field(default_factory=list)
    overtaken: Counter[str] = field(default_factory=Counter)
    """How often others got a place while this one was first of its person, who had none."""

    async def enter(self, line: Line) -> None:
        await line.take(self.user_id, self.told.append)
        self.served.append(self)


async def test_a_place_that_comes_as_somebody_leaves_goes_to_the_next() -> None:
    line = Line(1, PER_USER)
    await line.take("a")
    leaving, staying = (asyncio.create_task(line.take(user_id)) for user_id in "bc")
    await asyncio.sleep(0)  # both have asked
    leaving.cancel()
    line.give("a")  # before the one who leaves has had its turn
    await staying
    await asyncio.wait([leaving])
    assert leaving.cancelled()
    line.give("c")
    await line.take("a")


async def test_no_more_start_at_once_than_there_are_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    line, told, begun = Line(9, 9), list[str](), list[str]()
    done = {name: asyncio.Event() for name in "abc"}

    async def start(name: str) -> None:
        async with line.start(lambda: told.append(name)):
            begun.append(name)
            await done[name].wait()

    async with asyncio.TaskGroup() as starts:
        first, *_ = [starts.create_task(start(name)) for name in "abc"]
        await asyncio.sleep(0)
        assert (begun, told) == (["a", "b"], ["c"])
        first.cancel()  # as a stop does
        await asyncio.wait([first])
        for event in done.values():
            event.set()
    assert begun == ["a", "b", "c"]


async def test_a_plan_allows_less_or_nothing_and_is_asked_each_time() -> None:
    plans: dict[str, int | None] = {"a": 1, "b": None, "c": 9}

    async def most_of(user_id: str) -> int | None:
        if user_id not in plans:
            raise EntitlementRequired("Choose a plan.")
        return plans[user_id]

    line = Line(9, PER_USER, most_of)
    with pytest.raises(EntitlementRequired):
        await line.take("d")
    for user_id in "abbcc":
        await line.take(user_id)
    waiting = {user_id: asyncio.create_task(line.take(user_id)) for user_id in "abc"}
    plans["a"] = 2
    await line.take("a")  # the upgrade holds for who asks now
    assert not any(task.done() for task in waiting.values())
    line.give("b")
    await waiting["b"]
    line.give("a")
    line.give("a")
    await waiting["a"]
    waiting["c"].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting["c"]


@given(st.integers(1, 4), operations)
def test_places_are_shared_fairly(places: int, steps: list[tuple[str, str | int]]) -> None:
    asyncio.run(_follow(places, steps))


async def _follow(places: int, steps: list[tuple[str, str | int]]) -> None:
    line = Line(places, PER_USER)
    served: list[Guest] = []
    inside: list[Guest] = []
    waiting: dict[Guest, asyncio.Task[None]] = {}
    for number, (step, which) in enumerate(steps):
        if step == "ask":
            guest = Guest(str(which), number, served)
            waiting[guest] = asyncio.create_task(guest.enter(line))
        elif step == "leave" and inside:
            line.give(inside.pop(int(which) % len(inside)).user_id)
        elif step == "give up" and waiting:
            guest = list(waiting)[int(which) % len(waiting)]
            task = waiting.pop(guest)
            task.cancel()
            await asyncio.wait([task])
        held = Counter(guest.user_id for guest in inside)
        seen = len(served)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for guest in served[seen:]:
            for first in _first_of_each(waiting):
                if first.user_id != guest.user_id and held[first.user_id] == 0:
                    first.overtaken[guest.user_id] += 1
                    assert first.overtaken[guest.user_id] <= 1
                    assert held[guest.user_id] == 0
            assert guest in _first_of_each(waiting)
            held[guest.user_id] += 1
            inside.append(guest)
            await waiting.pop(guest)
        assert len(inside) <= places
        assert max(held.values(), default=0) <= PER_USER
        may = [guest for guest in waiting if held[guest.user_id] < PER_USER]
        assert not may or len(inside) == places  # no place stays empty while somebody may have it
        ahead = [guest.told[-1] for guest in waiting if guest.told[-1] is not None]
        assert sorted(ahead) == list(range(len(ahead)))
        assert bool(ahead) == bool(may)
    for task in waiting.values():
        task.cancel()
    await asyncio.gather(*waiting.values(), return_exceptions=True)


def _first_of_each(waiting: Iterable[Guest]) -> list[Guest]:
    first: dict[str, Guest] = {}
    for guest in waiting:
        first.setdefault(guest.user_id, guest)
    return list(first.values())


async def test_who_waits_is_told_how_many_are_ahead() -> None:
    line = Line(1, PER_USER)
    served: list[Guest] = []
    guests = [Guest(user, number, served) for number, user in enumerate("aaab")]
    tasks = [asyncio.create_task(guest.enter(line)) for guest in guests]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    # b asked last, but holds nothing; a's third has to wait for a's own places
    assert [guest.told[-1:] for guest in guests] == [[], [1], [None], [0]]
    line.give("a")
    await tasks[3]
    assert served == [guests[0], guests[3]]
    line.give("b")
    await tasks[1]
    line.give("a")
    await tasks[2]
    assert guests[1].told == [0, 1, 0]


async def test_an_idle_holder_is_asked_to_leave_but_not_for_somebody_at_their_limit() -> None:
    line = Line(3, PER_USER)
    for user in "aab":
        await line.take(user)
    asked: list[str] = []

    def holder(name: str, *, leaves: bool = True) -> None:
        def leave(_: str) -> bool:
            asked.append(name)
            return leaves

        line.idle(name, name[0], leave)

    holder("b1")
    third_of_a = asyncio.create_task(line.take("a"))
    await asyncio.sleep(0)
    assert asked == []
    holder("a1")
    assert asked == ["a1"]
    line.give("a")
    await third_of_a
    holder("a2", leaves=False)
    line.in_use("b1")
    holder("b2")
    newcomer = asyncio.create_task(line.take("c"))
    await asyncio.sleep(0)
    assert asked == ["a1", "a2", "b2"]  # a2 was needed after all
    line.give("b")
    await newcomer
