"""A tenant's data as an archive: all of it, as of one moment, and nothing that is secret or somebody else's."""

import hashlib
import io
import json
import threading
import uuid
import zipfile
from datetime import timedelta

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from config import env
from kernel import clock
from kernel.errors import Conflict
from knowledge.uploading import upload
from tenants import due_work
from tenants.context import TenantContextError, TenantRef, acting_as, snapshot_as
from tenants.encrypted import encrypted_columns
from tenants.exporting import ordering
from tenants.exporting.contents import LEFT_OUT, exported_tables
from tenants.exporting.models import Export, ExportStatus
from tenants.exporting.writing import write_archive
from tenants.models import AuditEntry
from tenants.owned_tables import owned_tables
from tests import conversations, servers
from tests.isolation import stage
from tests.tenants.callers import caller, code_of
from widgets.models import Widget

pytestmark = pytest.mark.django_db(transaction=True)

# Names that tell of a secret, in columns that hold none.
HARMLESS = {
    "ai_personalities.max_tokens", "cost_events.input_tokens", "cost_events.output_tokens", "cost_events.cached_tokens",
    "cost_events.cache_write_tokens", "cost_events.tokens_used", "cost_events.idempotency_key",
    "cost_summaries.total_tokens", "knowledge_chunks.token_count", "knowledge_documents.content_sha256",
    "knowledge_document_versions.content_sha256", "knowledge_files.sha256", "widgets.public_key",
}  # fmt: skip
TELLING = ("password", "secret", "token", "hash", "sha256", "key")


@pytest.fixture(autouse=True)
def store(settings, tmp_path):
    settings.STORAGE_URL = f"file://{tmp_path / 'files'}"
    return tmp_path / "files"


@pytest.fixture
def pair(transactional_db):
    """Two tenants with a row of each in every table, in the pool."""
    name = connection.settings_dict["NAME"]
    with psycopg.connect(servers.url(env.SUPERUSER_ROLE, name), autocommit=True) as superuser:
        grants = superuser.execute(stage.GRANTS).fetchall()
        both, _ = stage.furnish(superuser)
        stage.give_back(superuser, grants)
        yield superuser, both.mine, both.theirs


def ref(tenant):
    return TenantRef(tenant.pk, tenant.schema_name)


def written(tenant, path, **options):
    """The archive's members by name, its manifest, and what progress was told."""
    told = []
    write_archive(tenant, path, lambda done, total: told.append((done, total)), **options)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        members = {name: archive.read(name) for name in archive.namelist()}
    return members, json.loads(members["manifest.json"]), told


async def whole(response):
    return b"".join([piece async for piece in response])


def lines(members, table):
    return [json.loads(line) for line in members[f"data/{table}.jsonl"].splitlines()]


class TestContents:
    def test_every_table_is_exported_or_left_out_for_a_reason(self):
        known = {table.name for table in owned_tables()}
        assert set(LEFT_OUT) <= known
        assert {one.table.name for one in exported_tables(vectors=True)} == known - set(LEFT_OUT)

    def test_no_column_with_a_secret_is_exported(self):
        suspicious = {
            f"{one.table.name}.{column}"
            for one in exported_tables(vectors=True)
            for column in one.table.columns
            if column not in one.without and any(word in column for word in TELLING)
        }
        assert suspicious == HARMLESS
        exported = {one.table.model: one.without for one in exported_tables(vectors=True)}
        for model, field in encrypted_columns():
            assert model not in exported or field.column in exported[model]

    @pytest.mark.parametrize("vectors", [False, True])
    def test_it_holds_every_row_of_the_tenant_and_none_of_its_twin(self, pair, tmp_path, vectors):
        superuser, mine, theirs = pair
        members, manifest, told = written(mine, tmp_path / "mine.zip", vectors=vectors)
        foreign = {str(theirs.id), "bolt@twins.example", "bolt.twins.example", "alike-bolt"}
        for one in exported_tables(vectors=vectors):
            name = one.table.name
            place = "public" if one.table.in_directory else "pool"
            (count,) = superuser.execute(
                f'SELECT count(*) FROM {place}."{name}" WHERE tenant_id = %s', [mine.id]
            ).fetchone()
            assert count > 0, f"{name} has no row that could be missing"
            assert len(lines(members, name)) == manifest["tables"][name]["rows"] == count
            for row in lines(members, name):
                assert not one.without & set(row)
            if any(field.name == "id" for field in one.table.model._meta.fields):
                foreign |= {
                    str(key)
                    for (key,) in superuser.execute(
                        f'SELECT id FROM {place}."{name}" WHERE tenant_id = %s', [theirs.id]
                    )
                }
        everything = b"".join(members.values()).decode()
        assert [text for text in foreign if text in everything] == []
        assert ("data/chunk_embeddings.jsonl" in members) is vectors
        assert told[-1][0] == told[-1][1] >= manifest["rows"]

    def test_the_manifest_vouches_for_each_member(self, acme, bolt, tmp_path):
        conversations.session(acme)
        with acting_as(acme):
            upload("guide.md", b"# Guide\n\nTurn it on.")
        with acting_as(bolt):
            upload("guide.md", b"# Guide\n\nTurn it off.")
        members, manifest, _ = written(ref(acme), tmp_path / "a.zip")
        vouched = [*manifest["tables"].values(), *manifest["files"].values()]
        for facts in vouched:
            data = members[facts["member"]]
            assert hashlib.sha256(data).hexdigest() == facts["sha256"]
            assert len(data) == facts["bytes"]
        assert [data for name, data in members.items() if name.startswith("files/")] == [
            b"# Guide\n\nTurn it on."
        ]
        assert manifest["tenant"]["slug"] == "acme"
        assert json.loads(members["data/account.json"])["slug"] == "acme"
        assert b"Acme" in members["README.txt"]

    def test_a_file_that_the_store_has_lost_is_named(self, acme, tmp_path, store):
        with acting_as(acme):
            upload("guide.md", b"# Guide\n\nTurn it on.")
        (lost,) = [path for path in store.rglob("*") if path.is_file()]
        lost.unlink()
        members, manifest, _ = written(ref(acme), tmp_path / "a.zip")
        assert manifest["missing_files"] == [lost.name]
        assert not [name for name in members if name.startswith("files/")]

    def test_it_is_as_of_one_moment(self, acme, tmp_path, monkeypatch):
        conversations.session(acme)
        from tenants.exporting import writing

        counted = writing._count
        meanwhile = threading.Event()

        def slowly(tenant, one):
            if not meanwhile.is_set():
                meanwhile.set()
                found = counted(tenant, one)
                visit = threading.Thread(target=lambda: (conversations.session(acme), connection.close()))
                visit.start()
                visit.join()
                return found
            return counted(tenant, one)

        monkeypatch.setattr(writing, "_count", slowly)
        members, manifest, _ = written(ref(acme), tmp_path / "a.zip")
        assert meanwhile.is_set()
        assert len(lines(members, "sessions")) == len(lines(members, "widgets")) == 1
        assert manifest["tables"]["sessions"]["rows"] == 1
        with acting_as(acme):
            assert Widget.objects.count() == 2

    def test_a_full_disk_leaves_no_half_archive(self, acme, tmp_path, monkeypatch):
        from tenants.exporting import writing

        def full(tenant, one):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(writing, "_lines", full)
        with pytest.raises(OSError, match="No space"):
            write_archive(ref(acme), tmp_path / "x" / "a.zip", lambda done, total: None)
        assert list((tmp_path / "x").iterdir()) == []


class TestSnapshot:
    def test_it_writes_nothing(self, acme):
        from django.db import DatabaseError

        with pytest.raises(DatabaseError, match="read-only"), snapshot_as(acme):
            conversations.widget(acme)
        with acting_as(acme):
            assert Widget.objects.count() == 0
            Widget.objects.create(name="W", public_key="pk_w", domain_whitelist=[])

    def test_it_is_no_part_of_another_transaction(self, acme):
        with acting_as(acme), pytest.raises(TenantContextError), snapshot_as(acme):
            pass


class TestOrder:
    def test_an_export_is_ordered_made_taken_and_gone_after_a_week(self, acme, bolt, redis, monkeypatch):
        conversations.session(acme)
        conversations.session(bolt)
        call, stranger = caller(Client(), acme), caller(Client(), bolt)
        ordered = call("POST", "exports/")
        assert ordered.status_code == 202
        export = ordered.json()
        assert (export["status"], export["progress"]) == ("pending", 0.0)
        assert export["requested_by"].startswith("key:")
        key = uuid.UUID(export["id"])
        assert code_of(call("GET", f"exports/{key}/file/"), 404) == "not_found"

        assert ordering.carry_out(ref(acme), key)
        ready = call("GET", f"exports/{key}/").json()
        assert (ready["status"], ready["progress"], ready["error"]) == ("ready", 1.0, "")
        taken = call("GET", f"exports/{key}/file/")
        assert taken.status_code == 200
        data = async_to_sync(whole)(taken)
        assert len(data) == ready["size"] == int(taken["Content-Length"])
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert json.loads(archive.read("manifest.json"))["rows"] == ready["rows"]
        for method, path in (("GET", ""), ("GET", "file/"), ("DELETE", "")):
            assert code_of(stranger(method, f"exports/{key}/{path}"), 404) == "not_found"
        assert stranger("GET", "exports/").json()["results"] == []
        with acting_as(acme):
            said = list(AuditEntry.objects.filter(target_kind="export").order_by("at", "id"))
            assert [(entry.action, entry.actor_kind) for entry in said] == [
                ("ordered", "key"),
                ("exported", "system"),
                ("downloaded", "key"),
            ]

        moment = clock.now() + timedelta(days=7, minutes=1)
        monkeypatch.setattr(clock, "now", lambda: moment)
        assert ordering.sweep() == 1
        assert call("GET", f"exports/{key}/").json()["status"] == "expired"
        assert code_of(call("GET", f"exports/{key}/file/"), 404) == "not_found"
        assert ordering.sweep() == 0

    def test_only_who_may_read_everything_gets_it(self, acme, redis):
        narrow = caller(Client(), acme, "account:read", "account:write")
        for method, path in (
            ("GET", "exports/"),
            ("POST", "exports/"),
            ("GET", f"exports/{uuid.uuid4()}/file/"),
        ):
            assert code_of(narrow(method, path), 403) == "missing_scope"

    def test_one_at_a_time(self, acme, bolt, redis):
        with acting_as(bolt):
            ordering.order_export("key:bolt")
        call = caller(Client(), acme)
        first = call("POST", "exports/").json()
        assert code_of(call("POST", "exports/"), 409) == "conflict"
        assert code_of(call("DELETE", f"exports/{first['id']}/"), 409) == "conflict"
        assert ordering.carry_out(ref(acme), uuid.UUID(first["id"]))
        assert call("POST", "exports/").status_code == 202
        assert call("DELETE", f"exports/{first['id']}/").status_code == 204
        assert code_of(call("GET", f"exports/{first['id']}/"), 404) == "not_found"

    def test_a_worker_that_died_is_followed_by_another_and_at_last_by_none(self, acme, redis, monkeypatch):
        with acting_as(acme):
            export = ordering.order_export("key:x")
        moment = clock.now()
        for attempt in range(ordering.ATTEMPTS):
            with acting_as(acme):
                assert ordering._take(export.pk), attempt
                assert not ordering._take(export.pk)  # it is leased
            moment += ordering.LEASE + timedelta(seconds=1)
            monkeypatch.setattr(clock, "now", lambda at=moment: at)
            assert [work.key for work in due_work.overdue(ordering.TO_WRITE, moment)] == [export.pk]
        assert not ordering.carry_out(ref(acme), export.pk)
        with acting_as(acme):
            assert Export.objects.get().status == ExportStatus.FAILED
        assert due_work.overdue(ordering.TO_WRITE, moment + timedelta(days=1)) == []

    def test_what_fails_says_so(self, acme, redis, monkeypatch):
        with acting_as(acme):
            export = ordering.order_export("key:x")

        def full(*args, **options):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(ordering, "write_archive", full)
        assert ordering.carry_out(ref(acme), export.pk)
        with acting_as(acme):
            row = Export.objects.get()
        assert (row.status, row.error) == (ExportStatus.FAILED, "The disk is full or cannot be written.")

    def test_progress_and_lease_are_seen_while_it_is_written(self, acme, redis, monkeypatch):
        monkeypatch.setattr(ordering, "BEAT_S", 0.02)
        with acting_as(acme):
            export = ordering.order_export("key:x")
        seen = []

        def half(tenant, to, progress, **options):
            progress(1, 2)
            for _ in range(500):
                with acting_as(acme):
                    seen.append(Export.objects.get().progress)
                if seen[-1] == 0.5:
                    break
            raise OSError

        monkeypatch.setattr(ordering, "write_archive", half)
        ordering.carry_out(ref(acme), export.pk)
        assert seen[-1] == 0.5
        assert connection.in_atomic_block is False

    def test_two_orders_at_once_are_one(self, acme, redis):
        found, gate = [], threading.Barrier(4)

        def order():
            gate.wait()
            try:
                with acting_as(acme):
                    found.append(ordering.order_export("key:x").pk)
            except Conflict:
                found.append(None)
            finally:
                connection.close()

        threads = [threading.Thread(target=order) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(one is None for one in found) == [False, True, True, True]


class TestCommand:
    def test_it_writes_a_file_and_says_what_is_in_it(self, acme, bolt, tmp_path, capsys):
        conversations.session(acme)
        conversations.session(bolt)
        path = tmp_path / "acme.zip"
        out = io.StringIO()
        call_command("export_tenant", "acme", to=path, stdout=out)
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read("manifest.json"))
        assert f"{manifest['rows']} rows, 0 files, {path.stat().st_size} bytes" in out.getvalue()
        assert manifest["tenant"]["slug"] == "acme"
        with acting_as(acme):
            entry = AuditEntry.objects.get(action="exported")
        assert (entry.actor_kind, entry.after["rows"]) == ("system", manifest["rows"])
        with pytest.raises(CommandError, match="there already"):
            call_command("export_tenant", "acme", to=path)

    def test_it_knows_no_stranger(self, acme, tmp_path):
        with pytest.raises(CommandError, match="no tenant nobody"):
            call_command("export_tenant", "nobody", to=tmp_path / "a.zip")
        assert list(tmp_path.glob("*.zip")) == []
