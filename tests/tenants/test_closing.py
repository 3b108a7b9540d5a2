"""An account is closed, reopened as it was, or erased with nothing left, while the other's rows stay as they are."""

import io
import json
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from config import env
from kernel.errors import Conflict
from knowledge.documents import save_document
from knowledge.files import storing
from tenants import closing, due_work, erasing, maintaining
from tenants.auditing import by_person
from tenants.context import TenantRef, acting_as
from tenants.directory import all_tenants, resolve_tenant
from tenants.due_erasures import erase_due
from tenants.finding import tenant_called
from tenants.links import LinkInvalid
from tenants.models import AuditEntry, KeyKind, Tenant, TenantStatus
from tests import cast, conversations, servers
from tests.isolation import stage, twins
from tests.leftovers import places_with
from tests.tenants.callers import caller
from tests.tenants.letters import delivered, link_in
from tests.widgets.chat.visitors import boot

pytestmark = pytest.mark.django_db(transaction=True)


def close(tenant):
    with acting_as(tenant):
        closing.close()


class TestClosing:
    def test_every_door_shuts_and_nothing_is_lost(self, acme, bolt, client, redis):
        widget, theirs = (conversations.known_widget(one) for one in (acme, bolt))
        call, other = caller(client, acme), caller(client, bolt)
        cast.person(acme, "owner@acme.example")
        people = Client()
        people.post("/admin/login/", {"username": "owner@acme.example", "password": "a long enough password"})
        assert people.get("/admin/").status_code == 200
        assert boot(widget).status_code == 200
        close(acme)
        assert boot(widget).status_code == 404
        assert call("GET", "widgets/").status_code == 401
        assert people.get("/admin/").status_code == 302
        assert resolve_tenant(KeyKind.SLUG, "acme") is None
        assert acme.pk not in {ref.id for ref in all_tenants()}
        assert boot(theirs).status_code == 200
        assert other("GET", "widgets/").status_code == 200
        closing.reopen_by_operator(tenant_called("acme"))
        assert boot(widget).status_code == 200
        assert call("GET", "widgets/").status_code == 200

    def test_it_comes_back_as_it_was(self, acme):
        with acting_as(acme):
            Tenant.objects.update(status=TenantStatus.PAST_DUE, settings={"locale": "de"})
        close(acme)
        with acting_as(acme):
            with pytest.raises(Conflict):
                closing.close()
            assert list(AuditEntry.objects.filter(action="closed").values_list("target_kind", flat=True)) == [
                "account"
            ]
        reopened = closing.reopen_by_operator(tenant_called("acme"))
        assert (reopened.status, reopened.settings) == ("past_due", {"locale": "de"})
        with pytest.raises(Conflict):
            closing.reopen_by_operator(tenant_called("acme"))
        assert not due_work.overdue(closing.WORK, reopened.updated_at + timedelta(days=999))

    def test_an_owner_finds_back_by_their_letter(self, acme, bolt, monkeypatch, settings, client):
        owner = cast.person(acme, "owner@acme.example")
        cast.person(acme, "member@acme.example", role="member")
        cast.person(bolt, "owner@bolt.example")
        with delivered(monkeypatch, settings) as letters, by_person(owner):
            close(acme)
        (letter,) = letters
        assert letter.to == ["owner@acme.example"]
        parts = urlsplit(link_in(letter))
        page = client.get(f"{parts.path}?{parts.query}").content.decode()
        assert "Reopen the account" in page
        assert client.post(f"{parts.path}?{parts.query}").status_code == 200
        assert resolve_tenant(KeyKind.SLUG, "acme")
        token = parts.query.removeprefix("token=")
        with pytest.raises(LinkInvalid):
            closing.reopen(token)
        close(acme)
        # The link of an earlier closing opens nothing.
        assert "Reopen the account" not in client.get(f"{parts.path}?{parts.query}").content.decode()

    def test_the_page_wants_slug_and_password_of_an_owner(self, acme, bolt, redis, settings):
        settings.EMAIL_URL = ""
        cast.person(acme, "owner@acme.example")
        cast.person(acme, "admin@acme.example", role="admin")
        owner, admin = Client(), Client()
        secret = "a long enough password"
        owner.post("/admin/login/", {"username": "owner@acme.example", "password": secret})
        admin.post("/admin/login/", {"username": "admin@acme.example", "password": secret})
        assert admin.get("/admin/close-account/").status_code == 403
        for wrong in (
            {"slug": "bolt", "password": secret},
            {"slug": "acme", "password": "not this one at all"},
        ):
            owner.post("/admin/close-account/", wrong)
            assert resolve_tenant(KeyKind.SLUG, "acme")
        done = owner.post("/admin/close-account/", {"slug": "acme", "password": secret})
        assert "/account/reopen/?token=" in done.content.decode()
        assert resolve_tenant(KeyKind.SLUG, "acme") is None
        assert resolve_tenant(KeyKind.SLUG, "bolt")


@pytest.fixture(params=["pool", "dedicated_cargo"])
def furnished(request, transactional_db, redis, settings, tmp_path):
    """Two tenants of one schema with a row each in every table, files and keys in Redis."""
    settings.STORAGE_URL = f"file://{tmp_path / 'files'}"
    settings.FRONTDESK_HOME = tmp_path / "home"
    name = connection.settings_dict["NAME"]
    with psycopg.connect(servers.url(env.SUPERUSER_ROLE, name), autocommit=True) as superuser:
        grants = superuser.execute(stage.GRANTS).fetchall()
        pairs = stage.furnish(superuser)
        stage.give_back(superuser, grants)
        (pair,) = [pair for pair in pairs if pair.schema == request.param]
        for ref in (pair.mine, pair.theirs):
            storing.file_store().put(ref.id, "ab" * 32, b"bytes")
            redis.xadd(f"fd:{ref.id}:answer:1", {"t": "text"})
            redis.set(f"fd:{ref.id}:spent:visitor:1", 1)
            redis.set(f"fd:ticket:{ref.schema_name}-{ref.id.hex}", json.dumps({"tenant": str(ref.id)}))
        yield pair, superuser


def everything_of(superuser, ref: TenantRef):
    """What PostgreSQL's own catalogue finds of a tenant: rows by table, partitions counted by name too."""
    tables = superuser.execute(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped "
        "WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1"
    ).fetchall()
    found = {
        table: superuser.execute(
            f"SELECT count(*), md5(string_agg(r::text, '|' ORDER BY r::text)) FROM {table} r WHERE tenant_id = %s",
            [ref.id],
        ).fetchone()
        for (table,) in tables
    }
    found["tenants"] = superuser.execute(
        "SELECT count(*), max(slug) FROM public.tenants WHERE id = %s", [ref.id]
    ).fetchone()
    return found


class TestErasing:
    def test_nothing_is_left_and_the_others_rows_stay(self, furnished, redis, capsys):
        pair, superuser = furnished
        mine, theirs = (everything_of(superuser, ref) for ref in (pair.mine, pair.theirs))
        assert sum(count for count, _ in mine.values()) >= len(twins.tables())
        with acting_as(pair.mine):
            slug = Tenant.objects.get(pk=pair.mine.id).slug
            Tenant.objects.update(stripe_customer_id="cus_1", stripe_subscription_id="sub_1")
        out = io.StringIO()
        call_command("erase_tenant", slug, "--now", "--yes", stdout=out, stderr=io.StringIO())
        receipt = json.loads(out.getvalue())
        assert (receipt["slug"], receipt["stripe_customer_id"], receipt["stripe_subscription_id"]) == (
            slug, "cus_1", "sub_1",
        )  # fmt: skip
        counted = receipt["counted"]
        assert {one["after"] for one in counted.values()} == {0}
        for table, _ in twins.tables():
            # Closing signs everybody out before anything is counted.
            assert counted[f"table: {table}"]["before"] >= (table != "auth_sessions"), table
        assert counted["files"]["before"] == 1
        assert counted["redis: stream entries"]["before"] == 1
        assert counted["redis: keys"]["before"] >= 3
        # By PostgreSQL's own catalogue, and not by our list.
        assert {count for count, _ in everything_of(superuser, pair.mine).values()} == {0}
        assert everything_of(superuser, pair.theirs) == theirs
        assert places_with(str(pair.mine.id), redis) == []
        assert storing.contents(pair.theirs, "ab" * 32) == b"bytes"
        assert redis.xlen(f"fd:{pair.theirs.id}:answer:1") == 1
        assert not list(due_work.overdue(closing.WORK, closing.clock.now()))

    def test_stopped_anywhere_it_can_be_run_again(self, furnished, monkeypatch):
        pair, superuser = furnished
        with acting_as(pair.mine):
            slug = Tenant.objects.get(pk=pair.mine.id).slug
        real, done = erasing._empty, []

        def failing(ref, table, *rest):
            if len(done) >= 7:
                raise KeyboardInterrupt
            done.append(table.name)
            real(ref, table, *rest)

        with monkeypatch.context() as patched:
            patched.setattr(erasing, "_empty", failing)
            with pytest.raises(KeyboardInterrupt):
                call_command("erase_tenant", slug, "--now", "--yes", stderr=io.StringIO())
        assert tenant_called(slug) == pair.mine
        call_command("erase_tenant", slug, "--now", "--yes", stdout=io.StringIO(), stderr=io.StringIO())
        assert {count for count, _ in everything_of(superuser, pair.mine).values()} == {0}

    def test_in_batches(self, furnished, monkeypatch):
        pair, _ = furnished
        monkeypatch.setattr(erasing, "BATCH", 7)
        with acting_as(pair.mine):
            slug = Tenant.objects.get(pk=pair.mine.id).slug
            for number in range(23):
                save_document(title=f"T{number}", content="Words.")
            closing.close()
        lines = []
        erasing.erase(pair.mine, lines.append)
        assert any(line.startswith("knowledge_documents: 14 of 24") for line in lines), (slug, lines)

    def test_not_before_its_time(self, acme, bolt):
        for deed in (lambda: None, lambda: close(acme)):
            deed()
            with pytest.raises(CommandError, match="--now"):
                call_command("erase_tenant", "acme", "--yes")
        with pytest.raises(CommandError, match="no tenant"):
            call_command("erase_tenant", "nobody", "--yes")
        with acting_as(acme):
            assert Tenant.objects.filter(pk=acme.pk).exists()

    def test_maintain_erases_when_the_setting_says_so(self, acme, bolt, settings, tmp_path, redis):
        settings.FRONTDESK_HOME = tmp_path
        close(acme)
        assert erase_due in maintaining._deeds
        with acting_as(acme):
            due_work.promise(closing.WORK, acme.pk, closing.clock.now() - timedelta(days=31))
        lines = []
        settings.ERASE_CLOSED_AFTER_DAYS = 0
        erase_due(lines.append)
        settings.ERASE_CLOSED_AFTER_DAYS = 32
        erase_due(lines.append)
        assert lines == []
        settings.ERASE_CLOSED_AFTER_DAYS = 30
        erase_due(lines.append)
        assert lines[0].startswith("acme: erased")
        (file,) = (tmp_path / "receipts").iterdir()
        assert json.loads(file.read_text())["slug"] == "acme"
        assert file.stat().st_mode & 0o777 == 0o600
        assert [ref.id for ref in all_tenants(closed=True)] == [bolt.pk]
