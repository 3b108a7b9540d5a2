"""The bytes of files, as they were sent: kept once per tenant under their SHA-256, with a row that says so.

The tenant is part of the path and never a parameter from outside, so no name that anybody chooses leads to another's
file. Where a row and its bytes come and go, the row is locked: who uploads the same file while it is being deleted
waits, and then stores it anew.
"""

import hashlib
import os
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Protocol
from uuid import UUID

from kernel.errors import NotFound
from knowledge.models import DocumentVersion, StoredFile
from tenants.context import TenantRef, require_tenant
from tenants.folders import FOLDER_MODE, files_root


class FileStore(Protocol):
    """Where bytes are: by tenant and SHA-256 in hexadecimal. All three may be repeated without harm."""

    def put(self, tenant_id: UUID, sha256: str, data: bytes) -> None:
        """Keep `data`; complete or not at all."""

    def open(self, tenant_id: UUID, sha256: str) -> IO[bytes]:
        """The bytes, from their beginning. Raises FileNotFoundError."""

    def delete(self, tenant_id: UUID, sha256: str) -> None:
        """Forget them."""


class LocalFiles:
    """A folder on this machine, or one that all machines of an installation share."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, tenant_id: UUID, sha256: str, data: bytes) -> None:
        path = self._path(tenant_id, sha256)
        if path.is_file() and path.stat().st_size == len(data):
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise

    def open(self, tenant_id: UUID, sha256: str) -> IO[bytes]:
        return self._path(tenant_id, sha256).open("rb")

    def delete(self, tenant_id: UUID, sha256: str) -> None:
        self._path(tenant_id, sha256).unlink(missing_ok=True)

    def _path(self, tenant_id: UUID, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ValueError("not a SHA-256 in hexadecimal")
        return self.root / str(tenant_id) / sha256[:2] / sha256


def file_store() -> FileStore:
    """The store that STORAGE_URL names."""
    return LocalFiles(files_root())


def keep(data: bytes) -> StoredFile:
    """The acting tenant's row for these bytes, and the bytes in the store. The row is locked until the transaction
    ends, so that nobody deletes it before a version refers to it."""
    digest = hashlib.sha256(data).hexdigest()
    row = StoredFile(sha256=digest, size=len(data))
    StoredFile.objects.bulk_create([row], ignore_conflicts=True)
    row = StoredFile.objects.select_for_update().get(sha256=digest)
    file_store().put(require_tenant().id, digest, data)
    return row


def contents(tenant: TenantRef, sha256: str) -> bytes:
    """The bytes of one of the tenant's files. Raises FileNotFoundError where the store has lost them."""
    with file_store().open(tenant.id, sha256) as file:
        return file.read()


def open_file(row: StoredFile) -> IO[bytes]:
    """The acting tenant's file, to be read. Raises NotFound where the store has lost it."""
    try:
        return file_store().open(require_tenant().id, row.sha256)
    except FileNotFoundError as error:
        raise NotFound("The file is not in the store any more.") from error


def release(file_ids: Collection[UUID | None]) -> None:
    """Delete those of the acting tenant's files that no version refers to any more, rows and bytes."""
    wanted = [key for key in file_ids if key]
    for row in StoredFile.objects.select_for_update().filter(pk__in=wanted).order_by("pk"):
        if not DocumentVersion.objects.filter(file=row).exists():
            row.delete()
            # Within the transaction: whoever sends the same bytes now waits for this row. Should the transaction fail
            # after this line, the row is left without bytes and without a version, and `keep` puts them back.
            file_store().delete(require_tenant().id, row.sha256)
