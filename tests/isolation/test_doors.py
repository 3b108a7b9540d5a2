"""Every way in from outside, walked as Acme with everything of Bolt's: nothing of Bolt's is shown, told apart or
changed.

The doors are found, not listed (`config.isolation.doors`), and so are the rows (`twins`): both tenants have one in
every table, alike in all that may be alike. What cannot be walked by itself stands here with the test that walks it; a
new door, frame or task that is in none of them fails this file.
"""

import json
import re
import uuid
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import reverse

from config import env
from config.admin_site import site
from config.celery import app
from config.isolation import doors
from tenants.context import TenantRef, acting_as
from tenants.creating import create_staff
from tenants.directory import claim
from tenants.models import KeyKind, SecurityKey, User
from tests import cast, conversations, servers
from tests.isolation import stage, twins
from tests.widgets.chat.visitors import arrive, boot

pytestmark = pytest.mark.django_db(transaction=True)

API = "api/v1/"
# Doors without a tenant's rows behind them, each with what keeps it harmless.
OPEN = {
    "healthz": "says only that the process lives",
    "readyz": "counts and sentences, no tenant's names (tests/config/test_health.py)",
    "metrics": "numbers without a tenant (tests/config/test_metrics.py)",
    "api/docs": "the same document for everybody",
    "api/docs/": "the same document for everybody",
    "api/v1/openapi.json": "the same document for everybody",
    "account/join/": "a signed link names its tenant (tests/tenants/test_inviting.py)",
    "account/forgotten/": "answers alike to every email (tests/tenants/test_resetting_password.py)",
    "account/password/": "a signed link names its tenant and person (tests/tenants/test_resetting_password.py)",
    "account/reopen/": "a signed link names its tenant and owner (tests/tenants/test_closing.py)",
    "account/email/": "a signed link names its tenant and person (tests/tenants/test_changing_email.py)",
    "account/signup/": "a signed link names a tenant that is not there yet (tests/tenants/test_signing_up.py)",
    "signup/": "answers alike to every email (tests/tenants/test_signing_up.py)",
    "demo/": "one demo company's own published pages",
    "demo/<slug:slug>/": "one demo company's own published pages",
}
# Doors that a visitor's key, token or address opens: walked by name below.
WIDGET = {
    "widget/v1.js",
    "widget/v1/boot",
    "widget/v1/messages",
    "widget/v1/panel.<slug:digest>.js",
    "widget/v1/proof.js",
}
# Tasks of the platform have no tenant: they visit each in a context of its own.
TASKS_OF_THE_PLATFORM = {
    "billing.send_budget_letters",
    "billing.sweep_rollups",
    "knowledge.find_outdated_vectors",
    "knowledge.purge_documents",
    "knowledge.requeue_documents",
    "knowledge.resume_reembedding",
    "tenants.clear_sessions",
    "tenants.delete_old",
    "tenants.end_staff_visits",
    "tenants.forget_idempotency_keys",
    "tenants.note_failed_sign_in",  # finds the tenant by the email, as signing in does
    "tenants.send_closed",  # a closed tenant's name leads nowhere; it is named by the deed that closed it
    "tenants.send_email_changed",  # two addresses, no rows
    "tenants.send_password_reset",  # finds the tenant by the email, as signing in does
    "tenants.send_sign_up",  # to somebody who has no tenant yet
    "tenants.sound_off",
    "tenants.sweep_exports",
    "tenants.forget_webhooks",
    "tenants.sweep_webhooks",
    "widgets.end_idle_sessions",
    "widgets.erase_visitors",
    "widgets.recover_answers",
}
ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")


class World:
    """Acme and Bolt with a row of each in every table, and what must not be seen or changed of Bolt's."""

    def __init__(self, superuser: Any, acme: TenantRef, bolt: TenantRef) -> None:
        self.superuser, self.acme, self.bolt = superuser, acme, bolt
        self.ids: dict[str, dict[str, str]] = {"acme": {}, "bolt": {}}
        self.before: dict[str, str] = {}
        for model in twins.owned_models():
            table = model._meta.db_table
            if not any(field.name == "id" for field in model._meta.fields):
                continue
            for slug, tenant in (("acme", acme), ("bolt", bolt)):
                row = superuser.execute(
                    f'SELECT id FROM {self._place(table)}"{table}" WHERE tenant_id = %s ORDER BY id LIMIT 1',
                    [tenant.id],
                ).fetchone()
                self.ids[slug][table] = str(row[0])

    @property
    def secrets(self) -> set[str]:
        """What tells a row of Bolt's from its twin: its ids, and the names that are unique over all tenants."""
        return {
            *self.ids["bolt"].values(),
            str(self.bolt.id),
            "bolt@twins.example",
            "bolt.twins.example",
            "alike-bolt",
        }

    def theirs(self) -> dict[str, str]:
        """A digest of everything of Bolt's, table by table."""
        found = {}
        for model in twins.owned_models():
            table = model._meta.db_table
            if table in ("canaries", "due_work"):
                continue  # the platform's own round writes these
            row = self.superuser.execute(
                f"SELECT md5(coalesce(string_agg(r::text, '|' ORDER BY r::text), '')) "
                f'FROM {self._place(table)}"{table}" r WHERE tenant_id = %s',
                [self.bolt.id],
            ).fetchone()
            found[table] = row[0]
        return found

    @staticmethod
    def _place(table: str) -> str:
        return "public." if dict(twins.tables())[table] else "pool."


@pytest.fixture
def world(transactional_db, redis, settings):
    settings.RATE_LIMITS = False
    name = connection.settings_dict["NAME"]
    with psycopg.connect(servers.url(env.SUPERUSER_ROLE, name), autocommit=True) as superuser:
        grants = superuser.execute(stage.GRANTS).fetchall()
        pair, _ = stage.furnish(superuser)
        stage.give_back(superuser, grants)
        made = World(superuser, pair.mine, pair.theirs)
        made.before = made.theirs()
        yield made
        changed = [table for table, digest in made.theirs().items() if digest != made.before[table]]
        assert changed == [], "Acme changed what is Bolt's"


def test_every_url_is_walked_or_explained():
    found = {door.route for door in doors.urls()}
    by_api = {route for route in found if route.startswith(API)}
    unexplained = found - by_api - set(OPEN) - WIDGET
    assert unexplained == set(), "a new URL that no test of isolation walks"
    assert len(by_api) >= 60


def test_no_url_of_the_api_gives_way(world):
    client = Client(headers={"Authorization": f"Bearer {cast.api_key(_tenant(world.acme))}"})
    walked = 0
    for door in doors.urls():
        if not door.route.startswith(API) or not door.route.endswith("/") or door.route in OPEN:
            continue
        for method in door.methods:
            walked += 1
            for path in _paths(door.route, world.ids["bolt"]):
                response = client.generic(method, path, b"{}", content_type="application/json")
                where = f"{method} {path}: {response.status_code}"
                # 400 and 402 come before the row is looked for; that nothing happened is seen at the end.
                allowed = (
                    (404, 400, 402, 415)
                    if ARGUMENT.search(door.route)
                    else (200, 201, 202, 400, 402, 409, 415)
                )
                assert response.status_code in allowed, f"{where} {response.content[:300]!r}"
                assert _leaks(response, world, but=path) == set(), where
    assert walked >= 60


def test_each_object_of_the_api_is_there_for_its_owner(world):
    """Without this, a walk over broken URLs would find nothing and prove nothing."""
    client = Client(headers={"Authorization": f"Bearer {cast.api_key(_tenant(world.acme))}"})
    reachable = set()
    for door in doors.urls():
        if (
            door.route.startswith(API)
            and "GET" in door.methods
            and ARGUMENT.search(door.route)
            and door.route.endswith("/")
        ):
            statuses = {client.get(path).status_code for path in _paths(door.route, world.ids["acme"])}
            assert statuses <= {200, 404, 409}, f"{door.route}: {statuses}"
            reachable |= {door.route} if 200 in statuses else set()
    objects = {
        door.route
        for door in doors.urls()
        if door.route.startswith(API)
        and "GET" in door.methods
        and ARGUMENT.search(door.route)
        and door.route.endswith("/")
    }
    # A twin has no file of its own.
    assert objects - reachable <= {"api/v1/documents/<uuid:id>/file/", "api/v1/exports/<uuid:id>/file/"}


def test_no_filter_of_the_api_finds_anothers_rows(world):
    client = Client(headers={"Authorization": f"Bearer {cast.api_key(_tenant(world.acme))}"})
    document = client.get("/api/v1/openapi.json").json()
    asked = 0
    for path, operations in document["paths"].items():
        if "get" not in operations or "{" in path:
            continue
        for parameter in operations["get"].get("parameters", []):
            if parameter["in"] != "query":
                continue
            asked += 1
            for value in {*world.ids["bolt"].values(), "bolt@twins.example"}:
                response = client.get(path, {parameter["name"]: value})
                assert response.status_code in (200, 400, 404), f"{path}?{parameter['name']}={value}"
                assert _leaks(response, world, but=value) == set()
    assert asked >= 20


def test_no_page_of_the_admin_gives_way(world):
    client = Client()
    with acting_as(world.acme):
        owner = User.objects.get(email="acme@twins.example")
        owner.role = "owner"
        owner.is_active = True
        owner.set_password("a long enough password")
        owner.save()
        # It would be asked for at the door; Bolt's is still there to leak.
        SecurityKey.objects.all().delete()
        claim(KeyKind.EMAIL, owner.email)
    assert (
        client.post(
            "/admin/login/", {"username": owner.email, "password": "a long enough password"}
        ).status_code
        == 302
    )
    assert _walk_the_admin(client, world) >= 100


def test_no_page_of_the_admin_gives_way_to_staff_who_act_for_another(world):
    """They act for Acme with every right that staff can have: of Bolt there is nothing, as for Acme's own people."""
    client = Client()
    create_staff("grace@platform.example", "a long enough password", name="Grace")
    client.post("/admin/login/", {"username": "grace@platform.example", "password": "a long enough password"})
    form = {"tenant": str(world.acme.id), "reason": "to see what staff see", "writes": "1"}
    assert client.post("/admin/staff/choose/", form)["Location"] == "/admin/"
    assert _walk_the_admin(client, world) >= 100
    assert client.get(reverse("admin:widgets_widget_changelist")).status_code == 200, "the visit did not last"


def _walk_the_admin(client: Client, world: World) -> int:
    """Ask every page of the admin for what is Bolt's; how many times."""
    walked = 0
    for model, page in site._registry.items():
        app_label, name = model._meta.app_label, model._meta.model_name
        theirs = world.ids["bolt"].get(model._meta.db_table)
        listing = reverse(f"admin:{app_label}_{name}_changelist")
        for query in ({}, {"q": "alike"}, {"q": "bolt"}, {"q": theirs or "alike-bolt"}):
            response = client.get(listing, query)
            # One's own settings have no list: the way leads to the one page.
            # Nor may the platform's staff see every list.
            assert response.status_code in (200, 302, 403), f"{listing} {query}"
            assert _leaks(response, world, but=query.get("q")) == set(), f"{listing} {query}"
            walked += 1
        if theirs is None:
            continue  # the tenant itself: its page is asked for below
        for chosen in page.actions or ():
            chosen_name = chosen if isinstance(chosen, str) else chosen.__name__
            client.post(
                listing, {"action": chosen_name, admin.helpers.ACTION_CHECKBOX_NAME: [theirs], "post": "yes"}
            )
        client.post(
            listing,
            {"action": "delete_selected", admin.helpers.ACTION_CHECKBOX_NAME: [theirs], "post": "yes"},
        )
    for route in doors.admin_pages():
        path = "/" + re.sub(ARGUMENT, "{}", route)
        if "{}" not in path or re.search(r"[\\^$?(]", path):
            continue
        for table, theirs in _fitting(route, world.ids["bolt"]).items():
            for method in ("get", "post"):
                response = getattr(client, method)(path.format(*[theirs] * path.count("{}")))
                assert response.status_code < 500, f"{method} {path} with {table}: {response.status_code}"
                own = path.format(*[world.ids["acme"][table]] * path.count("{}"))
                if _is_object(route) and response.status_code in (200, 403):
                    # What nobody may do is refused alike for one's own; it tells nothing.
                    assert response.status_code == 403, f"{method} {path} with {table}"
                    assert getattr(client, method)(own).status_code in (403, 404), f"{method} {own}"
                assert _leaks(response, world, but=theirs) == set(), f"{method} {path}"
                walked += 1
    return walked


def _fitting(route: str, ids: dict[str, str]) -> dict[str, str]:
    """Ids that the page could be asked for: of its own model where it is a model's, else of every table."""
    for model in site._registry:
        if route.startswith(f"admin/{model._meta.app_label}/{model._meta.model_name}/"):
            table = model._meta.db_table
            return {table: ids[table]} if table in ids else ids
    return ids


def _is_object(route: str) -> bool:
    return "<path:object_id>" in route or "<uuid:" in route


def test_tasks_are_walked_or_of_the_platform(world):
    for name in doors.tasks():
        if name.startswith("tests."):
            continue  # another test's own
        task = app.tasks[name]
        assert (task.tenant_mode is None) == (name in TASKS_OF_THE_PLATFORM), (
            f"{name} is new: walk it or explain it"
        )
        if task.tenant_mode is None:
            continue
        arguments = [a for a in task.run.__code__.co_varnames[: task.run.__code__.co_argcount] if a != "self"]
        for theirs in world.ids["bolt"].values():
            # It may fail for want of the row; that it changed nothing of Bolt's is seen at the end.
            task.apply(args=[theirs] * len(arguments), headers={"tenant_id": str(world.acme.id)}, throw=False)


def test_frames_are_those_that_are_walked():
    assert set(doors.frames()) == {
        "end", "feedback", "handoff", "message", "ping", "read", "resume", "stop", "typing",
    }  # fmt: skip


async def test_no_frame_reaches_another_tenants_conversation(world):
    widget = await sync_to_async(lambda: conversations.known_widget(_tenant(world.acme)))()
    visitor = await arrive(widget)
    ready = await visitor.receive()
    assert ready["session"] is None
    theirs = world.ids["bolt"]
    frames = [
        {"type": "resume", "after": 0},
        {"type": "read", "seq": 1},
        {"type": "typing"},
        {"type": "stop"},
        {"type": "ping"},
        *({"type": "feedback", "message_id": one, "rating": 1} for one in theirs.values()),
        {"type": "handoff", "reason": theirs["sessions"]},
        {"type": "end"},
        {"type": "message", "id": str(twins.SAME_ID), "content": f"What is in {theirs['messages']}?"},
    ]
    heard = []
    for frame in frames:
        await visitor.send(**frame)
    await visitor.send(type="ping")
    while [one["type"] for one in heard].count("pong") < 2:
        heard.append(await visitor.receive())
    await visitor.until("message")
    assert {one["code"] for one in heard if one["type"] == "error"} <= {
        "not_found",
        "not_allowed",
        "session_ended",
        "too_fast",
    }
    # An error names the id that the frame itself brought.
    told = json.dumps([one for one in heard if one["type"] not in ("message", "error")])
    assert {one for one in world.secrets if one in told} == set()
    await visitor.leave()


def test_no_key_token_or_address_of_a_visitors_opens_anothers_door(world):
    mine, theirs = (conversations.known_widget(_tenant(one)) for one in (world.acme, world.bolt))
    world.before = world.theirs()
    assert boot(theirs, origin=mine.domain_whitelist[0]).status_code == 403
    token = boot(mine).json()["visitor_token"]
    # A token of Acme's is nobody to Bolt: it names no visitor there, and gets a new one of its own.
    booted = boot(theirs, token=token).json()
    assert booted["session"] is None
    assert booted["messages"] == []
    assert booted["visitor_token"] != token
    client = Client(headers={"Origin": theirs.domain_whitelist[0], "Authorization": f"Bearer {token}"})
    for response in (
        client.get("/widget/v1/messages?after=0"),
        client.post(
            "/widget/v1/messages", {"id": str(uuid.uuid4()), "content": "Hi"}, content_type="application/json"
        ),
    ):
        assert response.status_code in (401, 403)
    told = Client().get(f"/widget/v1.js?w={mine.public_key}").content.decode()
    assert theirs.public_key not in told


def _tenant(ref: TenantRef) -> Any:
    from tenants.models import Tenant

    with acting_as(ref):
        return Tenant.objects.get(pk=ref.id)


def _paths(route: str, ids: dict[str, str]) -> list[str]:
    """The route with ids in it: of every table where it takes one, of a session and of every table where two."""
    names = ARGUMENT.findall(route)
    template = "/" + ARGUMENT.sub("{}", route)
    if not names:
        return [template]
    if len(names) == 1:
        return [template.format(one) for one in ids.values()]
    parents = [ids[table] for table in ("sessions", "ai_personalities", "webhook_endpoints")]
    return [template.format(parent, one) for parent in parents for one in ids.values()]


def _leaks(response: Any, world: World, *, but: str | None) -> set[str]:
    """What of Bolt's the answer holds, leaving out what the question itself said."""
    if getattr(response, "streaming", False):
        content = b"".join(response.streaming_content).decode(errors="replace")
    else:
        content = response.content.decode(errors="replace")
    return {one for one in world.secrets if one in content and one not in (but or "")}
