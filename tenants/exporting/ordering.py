"""An export from its order to its end: promised as a row, written by a worker under a lease, deleted after a week."""

import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from celery import current_app
from django.db import IntegrityError, connection, transaction

from kernel import clock
from kernel.errors import Conflict, NotFound
from tenants import due_work
from tenants.auditing import record
from tenants.context import TenantRef, acting_as, require_tenant
from tenants.exporting.models import UNDER_WAY, Export, ExportStatus
from tenants.exporting.writing import write_archive
from tenants.folders import folder_of
from tenants.forgetting import Person
from tenants.tasking import HEADER

KEPT: Final = timedelta(days=7)
LEASE: Final = timedelta(minutes=2)
BEAT_S: Final = 2.0
ATTEMPTS: Final = 3
# Kinds of due work: an archive to be written, and one to be deleted.
TO_WRITE: Final = "export"
TO_FORGET: Final = "export_expiry"
TASK: Final = "tenants.write_export"

logger = logging.getLogger(__name__)
# A process writes one archive at a time: they are long, and letters and webhooks must not wait behind them.
_writing = threading.BoundedSemaphore(1)


def order_export(requested_by: str) -> Export:
    """Have the acting tenant's archive written soon. Raises Conflict while another one is being written."""
    try:
        with transaction.atomic():
            export = Export.objects.create(requested_by=requested_by)
    except IntegrityError as error:
        raise Conflict("An export is being made already; wait until it is ready.") from error
    due_work.promise(TO_WRITE, export.pk, clock.now() + LEASE)
    record("ordered", export)
    transaction.on_commit(partial(_send, require_tenant(), export.pk))
    return export


def take_archive(export_id: uuid.UUID) -> Path:
    """Where the acting tenant's archive is, for somebody who takes it, which is recorded. Raises NotFound where it is
    not ready, or not there any more."""
    export = Export.objects.filter(pk=export_id, status=ExportStatus.READY).first()
    path = _place(require_tenant(), export_id)
    if export is None or not path.is_file():
        raise NotFound("There is no such archive, or none any more.")
    record("downloaded", export)
    return path


def delete_export(export_id: uuid.UUID) -> None:
    """Delete an export with its archive. Raises NotFound, and Conflict while it is being written."""
    export = Export.objects.select_for_update().filter(pk=export_id).first()
    if export is None:
        raise NotFound(f"There is no export {export_id}.")
    if export.status in UNDER_WAY:
        raise Conflict("It is being made; delete it when it is ready.")
    record("deleted", export)
    due_work.keep(TO_FORGET, export_id)
    _place(require_tenant(), export_id).unlink(missing_ok=True)
    export.delete()


def carry_out(tenant: TenantRef, export_id: uuid.UUID) -> bool:
    """The worker's part: write the archive; whether this call did. Call it outside any transaction."""
    if not _writing.acquire(blocking=False):
        return False  # the sweep sends it again
    try:
        with acting_as(tenant):
            taken = _take(export_id)
        if not taken:
            return False
        try:
            _write(tenant, export_id)
        except Exception as error:
            logger.exception("export %s could not be written", export_id)
            words = "The disk is full or cannot be written." if isinstance(error, OSError) else "It failed."
            with acting_as(tenant):
                _end(export_id, ExportStatus.FAILED, error=words)
        return True
    finally:
        _writing.release()


def forget(tenant: TenantRef, export_id: uuid.UUID) -> None:
    """Delete an archive whose week is over; its row stays and says so."""
    with acting_as(tenant):
        _place(tenant, export_id).unlink(missing_ok=True)
        Export.objects.filter(pk=export_id, status=ExportStatus.READY).update(status=ExportStatus.EXPIRED)
        due_work.keep(TO_FORGET, export_id)


def archives_with(person: Person) -> int:
    """How many archives of the acting tenant may hold a visitor: all that are ready."""
    return Export.objects.filter(status=ExportStatus.READY).count()


def forget_archives(person: Person) -> None:
    """Delete these before their week is over: an archive cannot be changed."""
    for export_id in list(Export.objects.filter(status=ExportStatus.READY).values_list("pk", flat=True)):
        forget(require_tenant(), export_id)


def sweep() -> int:
    """Send what nobody has taken up, or died at, to workers again, and delete what is over; how many."""
    now = clock.now()
    late, over = due_work.overdue(TO_WRITE, now), due_work.overdue(TO_FORGET, now)
    for work in late:
        _send(work.tenant, work.key)
    for work in over:
        forget(work.tenant, work.key)
    return len(late) + len(over)


def _take(export_id: uuid.UUID) -> bool:
    """Lease the export to us; False where it is done, somebody else's, or has been tried too often."""
    now = clock.now()
    export = Export.objects.select_for_update().filter(pk=export_id, status__in=UNDER_WAY).first()
    if export is None:
        due_work.keep(TO_WRITE, export_id)
        return False
    if export.lease_until is not None and export.lease_until > now:
        return False
    if export.attempts >= ATTEMPTS:
        _end(export_id, ExportStatus.FAILED, error="Whoever wrote it died, several times.")
        return False
    export.status, export.attempts = ExportStatus.RUNNING, export.attempts + 1
    export.progress, export.lease_until = 0.0, now + LEASE
    export.save()
    due_work.promise(TO_WRITE, export_id, now + LEASE)
    return True


def _write(tenant: TenantRef, export_id: uuid.UUID) -> None:
    path = _place(tenant, export_id)
    with _beating(tenant, export_id) as pulse:
        manifest = write_archive(tenant, path, pulse.told)
    with acting_as(tenant):
        _end(
            export_id,
            ExportStatus.READY,
            progress=1.0,
            rows=manifest.rows,
            files=len(manifest.files),
            size=path.stat().st_size,
            expires_at=clock.now() + KEPT,
        )


def _end(export_id: uuid.UUID, status: ExportStatus, **values: object) -> None:
    Export.objects.filter(pk=export_id).update(
        status=status, finished_at=clock.now(), updated_at=clock.now(), lease_until=None, **values
    )
    due_work.keep(TO_WRITE, export_id)
    export = Export.objects.filter(pk=export_id).first()
    if export is not None and status == ExportStatus.READY:
        due_work.promise(TO_FORGET, export_id, clock.now() + KEPT)
        record("exported", export, after={"rows": export.rows, "files": export.files, "size": export.size})


@dataclass(slots=True)
class _Pulse:
    """How far the writing is, 0 to 1."""

    progress: float = 0.0

    def told(self, done: int, total: int) -> None:
        self.progress = done / total if total else 1.0


@contextmanager
def _beating(tenant: TenantRef, export_id: uuid.UUID) -> Iterator[_Pulse]:
    """Keep the lease and show the progress while the block runs: from a thread with a connection of its own, because
    the block's transaction sees one moment and writes nothing."""
    pulse, done = _Pulse(), threading.Event()

    def beat() -> None:
        try:
            while not done.wait(BEAT_S):
                with acting_as(tenant):
                    until = clock.now() + LEASE
                    Export.objects.filter(pk=export_id, status=ExportStatus.RUNNING).update(
                        progress=pulse.progress, lease_until=until
                    )
                    due_work.promise(TO_WRITE, export_id, until)
        except Exception:
            # Without a pulse the lease ends, and somebody else begins anew.
            logger.exception("the progress of export %s is not shown any more", export_id)
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"export {export_id}", daemon=True)
    thread.start()
    try:
        yield pulse
    finally:
        done.set()
        thread.join()


def _place(tenant: TenantRef, export_id: uuid.UUID) -> Path:
    return folder_of(tenant.id) / "exports" / f"{export_id}.zip"


def _send(tenant: TenantRef, export_id: uuid.UUID) -> None:
    try:
        current_app.send_task(TASK, [str(export_id)], headers={HEADER: str(tenant.id)}, retry=False)
    except Exception as error:
        # Whatever a broker can raise: the order is committed, and the sweep keeps the promise.
        logger.warning("could not send export %s to a worker; the sweep will: %r", export_id, error)
