"""The isolation report says what is so, is signed, and cannot be edited unseen."""

import copy
import json
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config import env
from config.isolation import doors, report
from config.isolation.telling import as_text
from tests import servers

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_report_names_tables_roles_and_doors(acme, bolt, redis):
    said = report.make()["statement"]
    assert said["holds"] is True
    assert said["checks"] == {"roles and guards": [], "rows without a tenant": [], "canaries": []}
    assert len(said["tables"]) >= 50
    assert all(table["enabled"] and table["forced"] and table["policies"] for table in said["tables"])
    assert said["database"]["role"] == "frontdesk_app"
    assert {"route": "healthz", "methods": []} in said["doors"]["urls"]
    assert "widgets.recover_answers" in said["doors"]["tasks"]
    assert {"message", "resume", "stop"} <= set(said["doors"]["frames"])
    assert "knowledge.document" in said["doors"]["admin_models"]
    assert said["mutants"] is None
    assert str(acme.pk) not in json.dumps(said)


def test_a_changed_report_is_not_genuine(redis):
    made = report.make()
    assert report.is_genuine(made)
    for path in (
        ("statement", "holds"),
        ("statement", "made_at"),
        ("signature", "value"),
        ("signature", "public_key"),
    ):
        forged = copy.deepcopy(made)
        forged[path[0]][path[1]] = "AAAA"
        assert not report.is_genuine(forged)
    assert not report.is_genuine({})
    assert not report.is_genuine({"signature": None, "statement": None})


def test_a_report_of_before_the_key_was_rotated_is_genuine_while_the_old_key_is_known(redis, settings):
    made = report.make()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-" * 4
    assert report.is_genuine(made)
    assert report.is_genuine(report.make())
    settings.SECRET_KEY_FALLBACKS = []
    assert not report.is_genuine(made)


def test_the_command_writes_both_forms_and_verifies_them(redis, tmp_path):
    mutants = tmp_path / "mutants.json"
    mutants.write_text(
        json.dumps({"at": "now", "tried": 3, "survived": 0, "guards_digest": "of other guards"})
    )
    out = StringIO()
    call_command("isolation_report", out=tmp_path, mutants=mutants, stdout=out)
    assert "# Isolation report: holds" in out.getvalue()
    assert "3 tried, 0 survived, now, against OTHER guards than here." in out.getvalue()
    assert (tmp_path / "isolation-report.md").read_text() in out.getvalue() + "\n"
    written = tmp_path / "isolation-report.json"
    out = StringIO()
    call_command("isolation_report", verify=written, stdout=out)
    assert out.getvalue().startswith("genuine")
    written.write_text(written.read_text().replace('"holds": true', '"holds": false'))
    with pytest.raises(CommandError, match="changed since"):
        call_command("isolation_report", verify=written)


def test_a_broken_guard_makes_the_report_say_so(redis, tmp_path):
    with psycopg.connect(
        servers.url(env.SUPERUSER_ROLE, connection.settings_dict["NAME"]), autocommit=True
    ) as superuser:
        superuser.execute("ALTER TABLE pool.visitors NO FORCE ROW LEVEL SECURITY")
        try:
            out = StringIO()
            with pytest.raises(CommandError, match="isolation is broken"):
                call_command("isolation_report", stdout=out)
        finally:
            superuser.execute("ALTER TABLE pool.visitors FORCE ROW LEVEL SECURITY")
    assert "BROKEN" in out.getvalue()
    assert "pool.visitors lacks forced row-level security" in out.getvalue()


def test_the_text_tells_what_the_statement_holds(redis):
    made = report.make()
    text = as_text(made, report.fingerprint(made))
    assert f"{len(made['statement']['tables'])} tables and partitions" in text
    assert report.fingerprint(made) in text


def test_doors_are_found_with_their_methods():
    found = {door.route: door.methods for door in doors.urls()}
    assert found["api/v1/documents/"] == ("GET", "POST")
    assert len(doors.admin_pages()) > 50
