"""The acting tenant's files, for an export of all that it has."""

import uuid
from collections.abc import Iterator
from functools import partial

from knowledge.files.storing import file_store
from knowledge.models import StoredFile
from tenants.exporting.contents import Original


def stored_files(tenant_id: uuid.UUID) -> Iterator[Original]:
    """Each under its SHA-256, which its row names too."""
    store = file_store()
    for sha256 in StoredFile.objects.order_by("sha256").values_list("sha256", flat=True):
        yield Original(sha256, partial(store.open, tenant_id, sha256))
