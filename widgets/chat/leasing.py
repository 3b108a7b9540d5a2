"""Holding on to the answers that this process makes: one task extends the leases of them all.

A task for each answer asked the database for each every few seconds; in a storm of two thousand returning visitors that
was more work than the answers themselves, and leases ran out behind it.
"""

import asyncio
import logging
import uuid
from typing import Final
from weakref import WeakKeyDictionary

from tenants.context import TenantRef, run_as
from widgets.chat.asking import LEASE, Run, extend_leases
from widgets.chat.hub import LiveAnswer

logger = logging.getLogger(__name__)

EXTENDED_EVERY_S: Final = LEASE.total_seconds() / 3


class Leases:
    """The running answers of one event loop, by tenant and run."""

    def __init__(self) -> None:
        self._held: dict[TenantRef, dict[uuid.UUID, LiveAnswer]] = {}
        self._keeper: asyncio.Task[None] | None = None

    def hold(self, tenant: TenantRef, run: Run, live: LiveAnswer) -> None:
        """Extend the run's lease until it is let go; stop `live` when the run is no longer ours to finish."""
        self._held.setdefault(tenant, {})[run.id] = live
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())

    def let_go(self, tenant: TenantRef, run: Run) -> None:
        """The run is over."""
        runs = self._held.get(tenant, {})
        runs.pop(run.id, None)
        if not runs:
            self._held.pop(tenant, None)
        if not self._held and self._keeper is not None:
            self._keeper.cancel()
            self._keeper = None

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(EXTENDED_EVERY_S)
            await asyncio.gather(*(self._extend(tenant, set(runs)) for tenant, runs in self._held.items()))

    async def _extend(self, tenant: TenantRef, runs: set[uuid.UUID]) -> None:
        try:
            kept = await run_as(tenant, extend_leases, list(runs))
        except Exception:
            # The database is away, or we are at fault: the next attempt comes before the lease ends.
            logger.exception("the leases of %d answers could not be extended", len(runs))
            return
        for lost in runs - kept:
            live = self._held.get(tenant, {}).get(lost)
            if live is not None:
                live.stop()


_leases: WeakKeyDictionary[asyncio.AbstractEventLoop, Leases] = WeakKeyDictionary()


def leases() -> Leases:
    """The running loop's Leases."""
    return _leases.setdefault(asyncio.get_running_loop(), Leases())
