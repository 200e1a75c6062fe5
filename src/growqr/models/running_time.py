"""How long people's workspaces run, for their usage by day."""

import asyncio
import time
from collections.abc import Callable

import structlog

from growqr.billing.usage import UsageLog
from growqr.errors import GrowError

EVERY_SECONDS = 60.0
"""How often what runs is counted: no more is lost with a worker, or counted on the next day."""

log = structlog.get_logger(__name__)


class RunningTime:
    """Counts whole seconds into the usage log."""

    def __init__(self, usage: UsageLog, clock: Callable[[], float] = time.monotonic) -> None:
        self._usage = usage
        self._clock = clock
        self._since: dict[str, tuple[str, float]] = {}
        self._counting = asyncio.Lock()

    def began(self, workspace_id: str, user_id: str) -> None:
        """A workspace runs now, for this person."""
        self._since[workspace_id] = (user_id, self._clock())

    async def ended(self, workspace_id: str) -> None:
        """It runs no more; one that never ran is no error."""
        await self._count(workspace_id)
        self._since.pop(workspace_id, None)

    async def count(self) -> None:
        """Count what all that run have run until now."""
        for workspace_id in list(self._since):
            await self._count(workspace_id)

    async def run(self) -> None:
        """`count` every minute until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.count()
            except Exception:  # without it, nobody's time would count until the next start
                log.exception("workspace.time_not_counted")

    async def _count(self, workspace_id: str) -> None:
        async with self._counting:
            if workspace_id not in self._since:
                return
            user_id, since = self._since[workspace_id]
            seconds = int(self._clock() - since)
            try:
                await self._usage.add(user_id, workspace_seconds=seconds)
            except GrowError as error:  # the next count has it all
                log.warning("workspace.time_not_counted", user_id=user_id, error=str(error))
            else:
                self._since[workspace_id] = (user_id, since + seconds)
