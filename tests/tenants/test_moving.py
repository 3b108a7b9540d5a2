"""A tenant moves between the pool and a schema of its own: every row, nobody else's, and what comes meanwhile is not
lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.test import Client
from psycopg import sql

from billing.costs import ledger, reconciling
from billing.models import CostEvent
from config import env
from config.celery import app
from kernel.ids import uuid7
from knowledge.models import VectorIndex, VectorIndexKind, VectorIndexStatus
from knowledge.tasks import ingest_document
from knowledge.vector_index import locking
from tenants import canaries, moving
from tenants.context import TenantMoving, TenantRef, acting_as, run_as
from tenants.db import base
from tenants.directory import resolve_tenant
from tenants.models import AuditEntry, KeyKind, Tenant
from tenants.owned_tables import owned_tables
from tests import cast, conversations, servers
from tests.admin.conftest import sign_in  # noqa: F401 - a fixture
from tests.billing.spending import event, fold_all
from tests.database import DEDICATED_SCHEMA
from tests.isolation import stage, twins
from widgets.chat import asking
from widgets.chat.visiting import Guest
from widgets.models import Message, Personality, Session

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
# What the move itself changes: where the index stands is not where it was, and it is recorded.
CHANGED = {"knowledge_vector_indexes", "audit_entries"}


@pytest.fixture
def superuser():
    name = connection.settings_dict["NAME"]
    with psycopg.connect(servers.url(env.SUPERUSER_ROLE, name), autocommit=True) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _nobody_has_moved(redis):
    base._MOVED.clear()
    yield
    base._MOVED.clear()


@pytest.fixture
def rows(acme, bolt, superuser):
    """A row of acme's and its twin of bolt's in every table."""
    grants = superuser.execute(stage.GRANTS).fetchall()
    superuser.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO frontdesk_app")
    superuser.execute("GRANT ALL ON ALL TABLES IN SCHEMA pool TO frontdesk_app")
    for tenant in (acme, bolt):
        twins.make_rows(ref(tenant), tenant.slug)
    stage.give_back(superuser, grants)
    return acme, bolt


def ref(tenant):
    return TenantRef(tenant.pk, tenant.schema_name)


def digests(superuser, tenant, schema):
    """Count and digest of the tenant's rows, by table."""
    found = {}
    for table in owned_tables():
        if table.in_directory:
            continue
        statement = sql.SQL(
            "SELECT count(*), md5(coalesce(string_agg(r::text, '|' ORDER BY r::text), '')) "
            "FROM {} r WHERE tenant_id = %s"
        ).format(sql.Identifier(schema, table.name))
        found[table.name] = superuser.execute(statement, [tenant.pk]).fetchone()
    return found


def total(found):
    return sum(count for count, _ in found.values())


def command(*, to, slug="acme", schema=DEDICATED_SCHEMA):
    out = StringIO()
    call_command("move_tenant", slug, to=to, schema=schema, stdout=out)
    return out.getvalue()


def home(tenant):
    return resolve_tenant(KeyKind.TENANT, str(tenant.pk)).schema_name


class TestEveryRow:
    def test_forth_and_back(self, rows, superuser):
        acme, bolt = rows
        theirs, mine = digests(superuser, bolt, "pool"), digests(superuser, acme, "pool")
        assert all(count for count, _ in mine.values()), "a table without a row proves nothing"
        said = command(to="dedicated")
        assert home(acme) == DEDICATED_SCHEMA
        assert f"{total(mine):,} rows" in said
        there = digests(superuser, acme, DEDICATED_SCHEMA)
        assert total(digests(superuser, acme, "pool")) == 0
        assert {name for name in there if there[name] != mine[name]} == CHANGED
        assert digests(superuser, bolt, "pool") == theirs
        moving.move(TenantRef(acme.pk, DEDICATED_SCHEMA), "pool", lambda line: None)
        back = digests(superuser, acme, "pool")
        assert home(acme) == "pool"
        assert total(digests(superuser, acme, DEDICATED_SCHEMA)) == 0
        assert {name for name in back if back[name] != mine[name]} == CHANGED
        assert back["audit_entries"][0] == mine["audit_entries"][0] + 2
        assert digests(superuser, bolt, "pool") == theirs
        assert home(bolt) == "pool"

    def test_a_schema_is_made_for_it_and_dropped_after_it(self, rows, superuser):
        acme, _ = rows
        mine = digests(superuser, acme, "pool")
        command(to="dedicated", schema=None)
        assert home(acme) == "dedicated_acme"
        call_command("schema_check", stdout=StringIO())
        assert "dropped the empty schema dedicated_acme" in command(to="pool", schema=None)
        back = digests(superuser, acme, "pool")
        assert {name for name in back if back[name] != mine[name]} == CHANGED
        schemas = {name for (name,) in superuser.execute("SELECT nspname FROM pg_namespace").fetchall()}
        assert "dedicated_acme" not in schemas

    def test_the_product_works_in_the_new_place(self, acme, bolt, superuser):
        for tenant in (acme, bolt):
            conversations.teach(tenant, "Warranty", f"# Warranty\n\nThe {tenant.slug} hub: two years.")
            spend(tenant, 3)
        fold_all(acme)
        command(to="dedicated")
        with acting_as(ref(acme)) as here:
            assert here.schema_name == "pool", "believed, until the first statement says otherwise"
            assert Tenant.objects.get(pk=acme.pk).schema_name == DEDICATED_SCHEMA
            canaries.visit(here, ref(bolt))
        spend(acme, 2)
        fold_all(acme)
        fold_all(bolt)
        for tenant, count in ((acme, 5), (bolt, 3)):
            with acting_as(ref(tenant)):
                assert CostEvent.objects.filter(feature="move").count() == count
                assert not reconciling.reconcile()
        found, _ = canaries.visit(TenantRef(acme.pk, DEDICATED_SCHEMA), ref(bolt))
        assert found == []
        conversations.teach(acme, "Returns", "# Returns\n\nWithin 30 days.")
        with acting_as(ref(acme)):
            entry = AuditEntry.objects.filter(action="moved").get()
            assert (entry.before, entry.after["schema"]) == ({"schema": "pool"}, DEDICATED_SCHEMA)
            assert "command line" in entry.actor_text

    def test_a_graph_is_ordered_anew(self, acme, bolt):
        for tenant in (acme, bolt):
            with acting_as(ref(tenant)):
                VectorIndex.objects.create(
                    wanted=VectorIndexKind.HNSW,
                    kind=VectorIndexKind.HNSW,
                    status=VectorIndexStatus.DONE,
                    progress=1,
                )
        command(to="dedicated")
        with acting_as(ref(acme)):
            index = VectorIndex.objects.get()
            assert (index.kind, index.wanted, index.status) == ("codes", "hnsw", "pending")
        with acting_as(ref(bolt)):
            assert VectorIndex.objects.get().kind == "hnsw"


def spend(tenant, count):
    with acting_as(ref(tenant)):
        ledger.record([event("0.01", feature="move") for _ in range(count)])


PLANTED = {
    "changed": "UPDATE {}.ai_personalities SET name = name || ' ' WHERE tenant_id = %s",
    "missing": "DELETE FROM {}.feedback WHERE tenant_id = %s",
    "one more": "INSERT INTO {0}.recovery_codes (tenant_id, user_id, code_hash) "
    "SELECT tenant_id, user_id, 'planted' FROM {0}.recovery_codes WHERE tenant_id = %s",
}


class TestAllOrNothing:
    @pytest.mark.parametrize("difference", PLANTED)
    @pytest.mark.parametrize("place", ["source", "target"])
    def test_a_difference_undoes_the_move(self, rows, superuser, monkeypatch, difference, place):
        acme, bolt = rows
        before = digests(superuser, acme, "pool"), digests(superuser, bolt, "pool")
        compare = moving._compare

        def plant_first(tables, tenant, source, target):
            with connection.cursor() as cursor:
                cursor.execute(PLANTED[difference].format(locals()[place]), [tenant.id])
                assert cursor.rowcount == 1
            compare(tables, tenant, source, target)

        monkeypatch.setattr(moving, "_compare", plant_first)
        with pytest.raises(CommandError, match=r"differs.*Nothing was moved"):
            command(to="dedicated")
        assert (digests(superuser, acme, "pool"), digests(superuser, bolt, "pool")) == before
        assert total(digests(superuser, acme, DEDICATED_SCHEMA)) == 0
        assert home(acme) == "pool"

    def test_a_row_that_comes_after_the_comparison_undoes_it(self, rows, superuser, monkeypatch):
        acme, _ = rows
        before = digests(superuser, acme, "pool")
        remove = moving._remove

        def plant_first(table, tenant, source, expected):
            if table.name == "recovery_codes":
                with connection.cursor() as cursor:
                    cursor.execute(PLANTED["one more"].format("pool"), [tenant.id])
            remove(table, tenant, source, expected)

        monkeypatch.setattr(moving, "_remove", plant_first)
        with pytest.raises(CommandError, match="were copied and"):
            command(to="dedicated")
        assert digests(superuser, acme, "pool") == before
        assert home(acme) == "pool"

    @pytest.mark.parametrize("step", ["_copy", "_compare", "_remove"])
    def test_killed_in_the_middle_it_is_where_it_was(self, rows, superuser, step):
        acme, bolt = rows
        before = digests(superuser, acme, "pool"), digests(superuser, bolt, "pool")
        name = connection.settings_dict["NAME"]
        program = (
            "import django, time; django.setup()\n"
            "from django.core.management import call_command\n"
            "from tenants import moving\n"
            f"step = moving.{step}\n"
            "def stops(*arguments):\n"
            "    found = step(*arguments)\n"
            "    print('here', flush=True)\n"
            "    time.sleep(60)\n"
            f"moving.{step} = stops\n"
            f"call_command('move_tenant', 'acme', to='dedicated', schema='{DEDICATED_SCHEMA}')\n"
        )
        mover = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | {
                "PYTHONPATH": ".:platform",
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "DATABASE_URL": servers.url(env.APP_ROLE, name),
                "DATABASE_OWNER_URL": servers.url(env.OWNER_ROLE, name),
            },
        )
        try:
            while "here" not in mover.stdout.readline():
                assert mover.poll() is None
            with pytest.raises(TenantMoving), acting_as(ref(acme)):
                Tenant.objects.count()
            with acting_as(ref(bolt)):
                assert Personality.objects.count() == 1
        finally:
            mover.send_signal(signal.SIGKILL)
            mover.wait()
        until(lambda: can_enter(acme))
        assert (digests(superuser, acme, "pool"), digests(superuser, bolt, "pool")) == before
        assert total(digests(superuser, acme, DEDICATED_SCHEMA)) == 0
        command(to="dedicated")
        assert home(acme) == DEDICATED_SCHEMA

    def test_it_waits_for_a_running_transaction_and_says_so(self, rows, superuser, monkeypatch):
        acme, _ = rows
        monkeypatch.setattr(moving, "FENCE_WAIT_S", 1)
        inside, over = threading.Event(), threading.Event()

        def works():
            with acting_as(ref(acme)):
                Personality.objects.update(description="written by who was there first")
                inside.set()
                over.wait(30)
            connection.close()

        worker = threading.Thread(target=works)
        worker.start()
        inside.wait(10)
        said = []

        def report(line):
            said.append(line)
            over.set()

        moving.move(ref(acme), DEDICATED_SCHEMA, report)
        worker.join()
        assert "still running" in said[0]
        with acting_as(ref(acme)):
            assert Personality.objects.get().description == "written by who was there first"


def until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def can_enter(tenant):
    try:
        with acting_as(ref(tenant)):
            Tenant.objects.count()
    except TenantMoving:
        return False
    return True


class Writers:
    """Threads that go on writing as the tenant, each believing what it was told when it began."""

    def __init__(self, tenant, guest):
        self.tenant, self.guest = ref(tenant), guest
        self.said, self.paid, self.turned_away, self.failures = {}, set(), 0, []
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self._go, args=[deed]) for deed in (self._say, self._say, self._pay)
        ]

    def _go(self, deed):
        try:
            while not self.over.is_set():
                deed()
        except Exception as error:
            self.failures.append(error)
        finally:
            connection.close()

    def _say(self):
        """As a socket does: it waits for the move's end, and acks what is committed."""
        client_id = uuid7()
        asked = async_to_sync(run_as)(self.tenant, asking.ask, self.guest, client_id, "Hello")
        self.said[client_id] = asked.seq

    def _pay(self):
        """As a program does: it is turned away, and comes again with the same key."""
        key = str(uuid7())
        while True:
            try:
                with acting_as(self.tenant):
                    ledger.record([event("0.01", feature="move", idempotency_key=key)])
            except OperationalError:
                self.turned_away += 1
                time.sleep(0.02)
            else:
                self.paid.add(key)
                return


class TestWhoComesMeanwhile:
    def test_nothing_acknowledged_is_lost(self, rows, superuser, monkeypatch):
        acme, bolt = rows
        theirs = digests(superuser, bolt, "pool")
        # A twin's watermark is of no cluster.
        superuser.execute("DELETE FROM pool.rollup_watermarks WHERE tenant_id = %s", [acme.pk])
        widget = conversations.known_widget(acme)
        writers = Writers(acme, Guest(ref(acme), widget.pk, uuid7()))
        compare = moving._compare

        def slowly(*arguments):
            time.sleep(0.7)
            compare(*arguments)

        monkeypatch.setattr(moving, "_compare", slowly)
        with acting_as(ref(acme)):
            CostEvent.objects.count()
        for thread in writers.threads:
            thread.start()
        until(lambda: len(writers.said) > 5 and len(writers.paid) > 5)
        for target in (DEDICATED_SCHEMA, "pool", DEDICATED_SCHEMA):
            moving.move(TenantRef(acme.pk, "wherever"), target, lambda line: None)
            known = len(writers.said), len(writers.paid)
            until(lambda known=known: len(writers.said) > known[0] + 3 and len(writers.paid) > known[1] + 3)
        writers.over.set()
        for thread in writers.threads:
            thread.join()
        assert writers.failures == []
        assert writers.turned_away > 0, "nobody came during a move"
        assert total(digests(superuser, acme, "pool")) == 0
        fold_all(acme)
        with acting_as(ref(acme)):
            told = dict(Message.objects.filter(client_id__in=writers.said).values_list("client_id", "seq"))
            assert told == writers.said
            session = Session.objects.get(visitor_id=writers.guest.visitor_id)
            seqs = sorted(Message.objects.filter(session=session).values_list("seq", flat=True))
            assert seqs == list(range(1, len(seqs) + 1))
            kept = CostEvent.objects.filter(feature="move").values_list("idempotency_key", flat=True)
            assert sorted(kept) == sorted(writers.paid)
        assert digests(superuser, bolt, "pool") == theirs

    def test_who_believes_the_old_place_is_led_to_the_new_one(self, acme, bolt):
        for tenant in (acme, bolt):
            with acting_as(ref(tenant)):
                Personality.objects.create(name=f"{tenant.slug}'s")
        stale = ref(acme)
        command(to="dedicated")
        base._MOVED.clear()
        with acting_as(stale), transaction.atomic():
            assert [one.name for one in Personality.objects.all()] == ["acme's"]
            Personality.objects.create(name="written by who believed the old place")
            assert connection.schema_name == DEDICATED_SCHEMA
        with acting_as(stale) as here:
            assert here.schema_name == DEDICATED_SCHEMA, "remembered"
        assert stale == TenantRef(acme.pk, DEDICATED_SCHEMA), "the same tenant, wherever one thinks it is"
        assert hash(stale) == hash(TenantRef(acme.pk, DEDICATED_SCHEMA))
        assert stale != ref(bolt)
        with acting_as(ref(bolt)):
            assert [one.name for one in Personality.objects.all()] == ["bolt's"]

    def test_doors_say_when_to_come_again(self, acme, bolt, superuser, sign_in):  # noqa: F811 - the fixture
        keys = {tenant.slug: cast.api_key(tenant) for tenant in (acme, bolt)}
        admin, theirs = sign_in(acme), sign_in(bolt)
        with superuser.transaction():
            superuser.execute("SELECT pg_advisory_xact_lock(%s)", [base.fence(acme.pk)])
            api = [
                Client(headers={"Authorization": f"Bearer {keys[slug]}"}).get("/api/v1/widgets/")
                for slug in ("acme", "bolt")
            ]
            pages = [client.get("/admin/") for client in (admin, theirs)]
        for turned_away, served in (api, pages):
            assert (turned_away.status_code, served.status_code) == (503, 200)
            assert int(turned_away["Retry-After"]) >= 1
        assert api[0]["Content-Type"] == "application/problem+json"
        assert "being moved" in api[0].json()["detail"]
        assert admin.get("/admin/").status_code == 200

    def test_a_task_is_tried_again(self, acme, superuser, monkeypatch):
        task, tried = app.tasks[ingest_document.name], []

        def retry(self, **options):
            tried.append(options)
            return RuntimeError("tried again")

        monkeypatch.setattr(type(task), "retry", retry)
        with superuser.transaction():
            superuser.execute("SELECT pg_advisory_xact_lock(%s)", [base.fence(acme.pk)])
            done = task.apply(args=[str(uuid7())], headers={"tenant_id": str(acme.pk)})
        assert str(done.result) == "tried again"
        assert tried[0]["countdown"] > 0
        assert tried[0]["max_retries"] is None


class TestWhatIsRefused:
    def test_anothers_schema(self, acme, bolt, cargo):
        with pytest.raises(CommandError, match="another tenant's"):
            command(to="dedicated", schema=cargo.schema_name)
        with pytest.raises(CommandError, match="another tenant's"):
            command(to="dedicated", schema="pool")

    def test_where_it_is_already(self, acme, cargo):
        with pytest.raises(CommandError, match="in the pool already"):
            command(to="pool", schema="dedicated_nobody")
        with pytest.raises(CommandError, match="move it into the pool first"):
            command(to="dedicated", slug="cargo", schema="dedicated_other")
        with pytest.raises(CommandError, match="there is no tenant nobody"):
            command(to="pool", slug="nobody")

    def test_without_the_owner_nothing_happens(self, acme, settings):
        settings.DATABASE_OWNER = None
        with pytest.raises(CommandError, match="DATABASE_OWNER_URL"):
            command(to="dedicated")

    def test_while_maintain_changes_tables(self, acme, superuser):
        with superuser.transaction():
            superuser.execute("SELECT pg_advisory_xact_lock(%s)", [locking.RUNNING])
            with pytest.raises(CommandError, match="maintain is changing tables"):
                command(to="dedicated")
