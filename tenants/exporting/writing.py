"""Writing an archive: JSON Lines per table as of one moment, the original files, a manifest. In constant memory."""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, cast

import psycopg
from django.db import connection
from psycopg import sql

from kernel import clock
from tenants.context import TenantRef, snapshot_as
from tenants.exporting.contents import LEFT_OUT, ExportedTable, Original, exported_tables, originals
from tenants.folders import FOLDER_MODE
from tenants.models import Tenant

FORMAT: Final = 1
PIECE: Final = 1 << 20
ROWS_A_REPORT: Final = 1_000
README: Final = """\
Everything of {name} that Frontdesk held on {at}.

data/account.json     the account itself
data/<table>.jsonl    one JSON object a line for each row, oldest first; ids of one table lead to rows of another
files/<sha256>        files as they were sent; knowledge_files.jsonl and knowledge_document_versions.jsonl name them
manifest.json         how many rows each table has, SHA-256 and size of each member, and what was left out and why

Passwords, secrets and keys are not in it, nor is anything of another tenant. Times are UTC, money is in US dollars.
All rows are as of one moment.
"""

# Told how much of how much is done.
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Manifest:
    """What is in an archive. `rows` counts them over all tables."""

    tenant: dict[str, Any]
    at: str
    rows: int = 0
    tables: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    missing_files: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "tenant": self.tenant,
            "at": self.at,
            "rows": self.rows,
            "tables": self.tables,
            "files": self.files,
            "missing_files": self.missing_files,
            "left_out": LEFT_OUT,
        }


class _Member:
    """One member of an archive, hashed while it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def facts(self) -> dict[str, Any]:
        return {"sha256": self._hash.hexdigest(), "bytes": self.size}


def write_archive(tenant: TenantRef, to: Path, progress: Progress, *, vectors: bool = False) -> Manifest:
    """Write the tenant's archive to `to`, complete or not at all. Call it outside any transaction.

    `progress` is told rows and files done, and how many there are. Raises OSError where the disk is full.
    """
    to.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    with tempfile.NamedTemporaryFile(dir=to.parent, prefix=".", delete=False) as draft:
        path = Path(draft.name)
        try:
            with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                manifest = _fill(archive, tenant, progress, vectors=vectors)
            draft.flush()
            path.replace(to)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return manifest


def _fill(archive: zipfile.ZipFile, tenant: TenantRef, progress: Progress, *, vectors: bool) -> Manifest:
    with snapshot_as(tenant):
        account = Tenant.objects.get(pk=tenant.id)
        manifest = Manifest(
            {"id": str(account.pk), "slug": account.slug, "name": account.name}, clock.now().isoformat()
        )
        tables = exported_tables(vectors=vectors)
        counts = {one.table.name: _count(tenant, one) for one in tables}
        files = originals(tenant.id)
        total = sum(counts.values()) + len(files)
        with _member(archive, "data/account.json") as member:
            member.write(_account(account))
        for one in tables:
            name = f"data/{one.table.name}.jsonl"
            with _member(archive, name) as member:
                for line in _lines(tenant, one):
                    member.write(line)
                    manifest.rows += 1
                    if manifest.rows % ROWS_A_REPORT == 0:
                        progress(manifest.rows, total)
            left_out = {"without": sorted(one.without)} if one.without else {}
            manifest.tables[one.table.name] = {
                "member": name,
                "rows": counts[one.table.name],
                **member.facts(),
                **left_out,
            }
    # A file may be away for long (a network's folder), and no transaction waits for one.
    for done, original in enumerate(files, start=manifest.rows + 1):
        _add_file(archive, original, manifest)
        progress(done, total)
    archive.writestr("manifest.json", json.dumps(manifest.as_json(), indent=2, ensure_ascii=False))
    archive.writestr("README.txt", README.format(name=account.name, at=manifest.at))
    progress(total, total)
    return manifest


@contextmanager
def _member(archive: zipfile.ZipFile, name: str) -> Iterator[_Member]:
    with archive.open(name, "w", force_zip64=True) as file:
        yield _Member(file)


def _account(account: Tenant) -> bytes:
    shown = {
        "id": str(account.pk),
        "slug": account.slug,
        "name": account.name,
        "plan": account.plan,
        "status": account.status,
        "settings": account.settings,
        "created_at": account.created_at.isoformat(),
    }
    return json.dumps(shown, indent=2, ensure_ascii=False).encode()


def _count(tenant: TenantRef, one: ExportedTable) -> int:
    counting = sql.SQL("SELECT count(*) FROM {} WHERE tenant_id = {}")
    with connection.cursor() as cursor:
        cursor.execute(counting.format(sql.Identifier(one.table.name), sql.Literal(tenant.id)))
        return int(cursor.fetchone()[0])


def _lines(tenant: TenantRef, one: ExportedTable) -> Iterator[bytes]:
    """The table's rows, a line each. COPY streams them, where a SELECT would hold all of them here."""
    rows = sql.SQL(
        "COPY (SELECT to_jsonb(t) - {}::text[] FROM {} t WHERE tenant_id = {} ORDER BY {}) TO STDOUT"
    ).format(
        sql.Literal([*sorted(one.without), "tenant_id"]),
        sql.Identifier(one.table.name),
        sql.Literal(tenant.id),
        sql.SQL(", ").join(sql.Identifier(column) for column in one.table.key),
    )
    # The transaction knows its tenant already; Django's cursor has no COPY.
    raw = cast("psycopg.Connection[Any]", connection.connection)
    with raw.cursor() as cursor, cursor.copy(rows) as copy:
        for (line,) in copy.rows():
            yield cast(str, line).encode() + b"\n"


def _add_file(archive: zipfile.ZipFile, original: Original, manifest: Manifest) -> None:
    name = f"files/{original.name}"
    try:
        source = original.open()
    except FileNotFoundError:
        # Deleted since, or lost: said, not hidden.
        manifest.missing_files.append(original.name)
        return
    with source, _member(archive, name) as member:
        while piece := source.read(PIECE):
            member.write(piece)
    manifest.files[original.name] = {"member": name, **member.facts()}
