"""A prompt that acts for one tenant: its rows only, a transaction for each statement, recorded."""

import builtins
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tenants.context import acting_as, current_tenant
from tenants.models import AuditEntry
from widgets.models import Personality

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def peopled(acme, bolt, redis):
    for tenant in (acme, bolt):
        with acting_as(tenant):
            Personality.objects.create(name=f"{tenant.slug}'s")
    return acme, bolt


@pytest.fixture
def enter(monkeypatch, capsys):
    """enter(*lines) → what the prompt showed, with the prompts themselves."""

    def entered(*lines, slug="acme", **options):
        waiting, prompts = list(lines), []

        def asked(prompt=""):
            prompts.append(prompt)
            assert current_tenant() is None, "a transaction is open while somebody thinks"
            if not waiting:
                raise EOFError
            return waiting.pop(0)

        monkeypatch.setattr(builtins, "input", asked)
        call_command("shell_tenant", slug, **options)
        shown = capsys.readouterr()
        return prompts, shown.out + shown.err

    return entered


def test_it_sees_ones_own_rows_and_says_whose(enter):
    prompts, shown = enter("[one.name for one in Personality.objects.all()]", "tenant.schema_name")
    assert '["acme\'s"]' in shown
    assert "bolt" not in shown
    assert "'pool'" in shown
    assert "You act for acme" in shown
    assert set(prompts) == {"acme> "}
    assert not hasattr(sys, "ps1")


def test_it_reads_only_unless_asked_otherwise(enter, acme, bolt):
    _, shown = enter("Personality.objects.update(name='changed')", "Personality.objects.get().name")
    assert "read-only transaction" in shown
    assert '"acme\'s"' in shown
    prompts, shown = enter("Personality.objects.update(name='changed')", write=True)
    assert prompts[0] == "acme!> "
    for tenant, name in ((acme, "changed"), (bolt, "bolt's")):
        with acting_as(tenant):
            assert Personality.objects.get().name == name


def test_what_fails_leaves_nothing_and_the_prompt_goes_on(enter, acme):
    lines = ("for name in ('x', 1 / 0):", "    Personality.objects.create(name=name)", "", "1 + 1")
    prompts, shown = enter(*lines, write=True)
    assert "ZeroDivisionError" in shown
    assert "2" in shown.splitlines()
    assert "acme. " in prompts
    enter(
        "Personality.objects.create(name='kept')", "Personality.objects.create(name='y'); 1 / 0", write=True
    )
    with acting_as(acme):
        assert {one.name for one in Personality.objects.all()} == {"acme's", "kept"}


def test_a_command_is_one_transaction(acme):
    call_command("shell_tenant", "acme", write=True, command="Personality.objects.create(name='new')")
    with pytest.raises(CommandError, match="nothing of it was kept"):
        call_command(
            "shell_tenant", "acme", write=True, command="Personality.objects.all().delete()\nraise ValueError"
        )
    with pytest.raises(CommandError):
        call_command("shell_tenant", "acme", command="this is no Python")
    with acting_as(acme):
        assert Personality.objects.count() == 2


def test_the_tenants_record_says_who_was_there(enter, acme, bolt):
    enter("1", reason="ticket 4711")
    enter("Personality.objects.update(name='changed')", write=True)
    with acting_as(acme):
        opened = AuditEntry.objects.filter(action="opened_shell").order_by("id")
        assert [entry.after for entry in opened] == [
            {"may": "read", "reason": "ticket 4711"},
            {"may": "write", "reason": ""},
        ]
        assert all("at the command line" in entry.actor_text for entry in opened)
        changed = AuditEntry.objects.get(action="changed", target_kind="personality")
        assert "at the command line" in changed.actor_text
    with acting_as(bolt):
        assert not AuditEntry.objects.filter(action="opened_shell").exists()


def test_a_tenant_that_is_not_there(capsys):
    with pytest.raises(CommandError, match="there is no tenant nobody"):
        call_command("shell_tenant", "nobody", stdout=StringIO())
