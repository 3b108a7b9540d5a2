"""Who has grown enough for a graph, and who has shrunk enough to lose it."""

from typing import Any, Final

from django.conf import settings

from kernel.clock import now
from knowledge.models import KnowledgeTotals, VectorIndex, VectorIndexKind, VectorIndexStatus
from tenants import due_work
from tenants.context import acting_as, require_tenant
from tenants.directory import all_tenants
from tenants.models import Tenant

WORK: Final = "vector_index"
SHRUNK: Final = 0.5
"""A graph is given up below this share of the size at which it is made, so that nobody goes to and fro."""
FEATURE: Final = "hnswMinChunks"


def reconsider(chunks: int) -> bool:
    """Order a change of the acting tenant's index where its size asks for one; whether it was ordered now.

    Called with the tenant's totals locked, in the transaction that changes its size.
    """
    index = VectorIndex.objects.first() or VectorIndex()
    wanted = wanted_kind(chunks, min_chunks(_own_settings()), VectorIndexKind(index.wanted))
    if wanted == index.wanted:
        return False
    VectorIndex.objects.update_or_create(
        defaults={
            "wanted": wanted,
            "status": VectorIndexStatus.PENDING,
            "progress": 0.0,
            "error": "",
            "attempts": 0,
            "chunks": chunks,
            "started_at": None,
            "finished_at": None,
        }
    )
    due_work.promise(WORK, require_tenant().id, now())
    return True


def begin_anew() -> None:
    """The acting tenant's vectors stand in another schema's table from now on, and its graph is not there: they are
    searched by codes until maintain has built it anew, where one is wanted."""
    index = VectorIndex.objects.select_for_update().first()
    if index is None:
        return
    is_wanted = index.wanted == VectorIndexKind.HNSW
    VectorIndex.objects.update(
        kind=VectorIndexKind.CODES,
        status=VectorIndexStatus.PENDING if is_wanted else VectorIndexStatus.DONE,
        progress=0.0 if is_wanted else 1.0,
        error="",
        attempts=0,
        started_at=None,
        finished_at=None if is_wanted else now(),
    )
    if is_wanted:
        due_work.promise(WORK, require_tenant().id, now())
    else:
        due_work.keep(WORK, require_tenant().id)


def reconsider_everybody() -> int:
    """`reconsider` for every tenant, as after a change of the setting; how many changes were ordered."""
    ordered = 0
    for tenant in all_tenants():
        with acting_as(tenant):
            totals = KnowledgeTotals.objects.select_for_update().first()
            ordered += totals is not None and reconsider(totals.chunks)
    return ordered


def wanted_kind(chunks: int, least: int, wanted: VectorIndexKind) -> VectorIndexKind:
    """HNSW from `least` chunks on, CODES below half of that, and in between what it was."""
    if chunks >= least:
        return VectorIndexKind.HNSW
    return VectorIndexKind.CODES if chunks < least * SHRUNK else wanted


def min_chunks(tenant_settings: dict[str, Any]) -> int:
    """From how many chunks on a tenant gets a graph: its own `features.hnswMinChunks`, else HNSW_MIN_CHUNKS."""
    features = tenant_settings.get("features")
    own = features.get(FEATURE) if isinstance(features, dict) else None
    if isinstance(own, int) and not isinstance(own, bool) and own > 0:
        return own
    return int(settings.HNSW_MIN_CHUNKS)


def _own_settings() -> dict[str, Any]:
    found: dict[str, Any] = Tenant.objects.values_list("settings", flat=True).get(pk=require_tenant().id)
    return found
