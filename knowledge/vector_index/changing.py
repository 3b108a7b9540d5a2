"""The two changes: a growing tenant gets a graph, a shrunken one loses it. Both may be repeated after a crash."""

from functools import partial
from typing import Final

from knowledge.models import KnowledgeTotals, VectorIndex, VectorIndexKind, VectorIndexStatus
from knowledge.storage import DEFAULT_PARTITION
from knowledge.vector_index import hnsw
from knowledge.vector_index.partition import Partition
from knowledge.vector_index.progress import Progress
from tenants.context import TenantRef, acting_as
from tenants.models import POOL_SCHEMA

COPIED, INDEXED = 0.1, 0.95
"""Progress after the copy and after the graph, by what they take: at 50,000 chunks 1 s and 20 s."""
MOVED_AT_ONCE: Final = 1_000
"""Vectors that may be put back among everybody's while everybody waits: some 50 ms."""


def promote(tenant: TenantRef, progress: Progress) -> None:
    """Give the tenant a graph: in the pool over a partition of its own, in a dedicated schema over the table there.

    Search goes on by codes until the last commit. Raises Busy where a lock could not be had; what was done by then is
    kept for the next try.
    """
    if tenant.schema_name != POOL_SCHEMA:
        _build(tenant, DEFAULT_PARTITION, progress)
        with acting_as(tenant):
            _search_by(VectorIndexKind.HNSW)
        return
    own = Partition(tenant)
    own.let_in()
    if own.is_attached():
        _build(tenant, own.name, progress)
        with acting_as(tenant):
            _search_by(VectorIndexKind.HNSW)
        return
    progress.at(VectorIndexStatus.COPYING, 0.0)
    own.create()
    own.copy(lambda share: progress.at(VectorIndexStatus.COPYING, COPIED * share))
    own.freshen()
    _build(tenant, own.name, progress)
    # What was published while the graph was built; the rest, under the lock, is little.
    own.copy()
    own.freshen()
    progress.at(VectorIndexStatus.ATTACHING, INDEXED)
    own.attach(partial(_search_by, VectorIndexKind.HNSW))


def demote(tenant: TenantRef, progress: Progress) -> None:
    """Take the tenant's graph away. Its rows go back among everybody's where they are few; else the partition stays,
    searched by codes. Raises Busy."""
    progress.at(VectorIndexStatus.DETACHING, 0.0)
    with acting_as(tenant):
        # First, so that no search is left that expects the graph when it goes.
        _search_by(VectorIndexKind.CODES)
    if tenant.schema_name != POOL_SCHEMA:
        hnsw.drop(tenant.schema_name, DEFAULT_PARTITION)
        return
    own = Partition(tenant)
    if not own.is_attached():
        own.drop()
        return
    hnsw.drop(tenant.schema_name, own.name)
    own.fold_back(MOVED_AT_ONCE)


def _build(tenant: TenantRef, table: str, progress: Progress) -> None:
    progress.at(VectorIndexStatus.INDEXING, COPIED)
    with acting_as(tenant):
        chunks = KnowledgeTotals.objects.get().chunks
    hnsw.build(
        tenant.schema_name,
        table,
        chunks,
        lambda share: progress.at(VectorIndexStatus.INDEXING, COPIED + (INDEXED - COPIED) * share),
    )


def _search_by(kind: VectorIndexKind) -> None:
    VectorIndex.objects.update(kind=kind)
