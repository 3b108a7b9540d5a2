"""How far a change of a tenant's index is: in its row, for the admin, and as lines, for whoever runs maintain."""

from collections.abc import Callable

from kernel import observing
from knowledge.models import VectorIndex, VectorIndexStatus
from tenants.context import TenantRef, acting_as

STEP = 0.1
"""A line for every tenth."""


class Progress:
    """Of one tenant's change. `report` gets lines such as "acme: indexing, 40 %"."""

    def __init__(self, tenant: TenantRef, name: str, report: Callable[[str], None]) -> None:
        self._tenant, self._name, self._report = tenant, name, report
        self._said: tuple[VectorIndexStatus, int] | None = None

    def at(self, status: VectorIndexStatus, share: float) -> None:
        """The change has come to `share` (0 to 1), which its row says from now on."""
        with acting_as(self._tenant):
            VectorIndex.objects.update(status=status, progress=round(share, 4))
        observing.works()
        self._say(status, share)

    def _say(self, status: VectorIndexStatus, share: float) -> None:
        step = (status, int(share / STEP))
        if step != self._said:
            self._said = step
            self._report(f"{self._name}: {status.label.lower()}, {share:.0%}")
