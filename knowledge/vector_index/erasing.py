"""A tenant's own partition goes when the tenant is erased; as the owner's role."""

import logging

from knowledge.vector_index.locking import Busy
from knowledge.vector_index.partition import Partition
from tenants.context import TenantRef
from tenants.models import POOL_SCHEMA

logger = logging.getLogger(__name__)


def partitions_of(ref: TenantRef) -> int:
    """1 where the tenant has a partition, and with it a graph, of its own."""
    return int(ref.schema_name == POOL_SCHEMA and Partition(ref).exists())


def drop_partition(ref: TenantRef) -> None:
    """Drop it. Where it is in use for too long, maintain's sweep drops it within the hour: it is empty by now."""
    if partitions_of(ref):
        try:
            Partition(ref).drop()
        except Busy:
            logger.warning("the empty partition of tenant %s is dropped another time", ref.id)
