from datetime import timedelta

import orjson
import pytest
from django.utils import timezone

from tenants.context import acting_as
from tenants.models import ApiKey
from tests import cast


@pytest.fixture
def call(client, acme):
    own = cast.api_key(acme)

    def send(method, path, body=None, key=own):
        return client.generic(
            method,
            f"/api/v1/{path}",
            b"" if body is None else orjson.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )

    return send


def make(call, **fields):
    response = call("POST", "api-keys/", {"name": "Worker", "scopes": ["read"], **fields})
    assert response.status_code == 201, response.content
    return response.json()


def test_a_key_is_shown_once_and_opens_the_door_until_it_is_deleted(call, acme):
    made = make(call)
    secret = made.pop("key")
    assert secret.startswith(made["prefix"])
    assert call("GET", "widgets/", key=secret).status_code == 200
    path = f"api-keys/{made['id']}/"
    shown = call("GET", path)
    assert secret.encode() not in shown.content + call("GET", "api-keys/").content
    assert shown.json() == {**made, "last_used_at": shown.json()["last_used_at"]}
    assert call("PATCH", path, {"name": "Renamed"}).json()["name"] == "Renamed"
    assert call("PATCH", path, {"scopes": ["write"]}).json()["errors"][0]["field"] == "scopes"
    assert call("DELETE", path).status_code == 204
    assert [call(verb, path, {}).status_code for verb in ("GET", "PATCH", "DELETE")] == [404, 404, 404]
    assert call("GET", "widgets/", key=secret).status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [({"scopes": ["read"]}, "name"), ({"name": "a"}, "scopes"), ({"name": "a", "scopes": []}, "scopes"),
     ({"name": "a", "scopes": ["everything"]}, "scopes"), ({"name": "a", "scopes": "read"}, "scopes"),
     ({"name": "a", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at")],
)  # fmt: skip
def test_a_wrong_field_is_named(call, body, field):
    assert [error["field"] for error in call("POST", "api-keys/", body).json()["errors"]] == [field]


def test_nobody_grants_more_than_they_hold(call, acme):
    small = make(call, scopes=["account:read", "account:write", "knowledge:read"])["key"]
    wide = make(call, scopes=["write"])
    for scopes in (["write"], ["read"], ["billing:read"], ["knowledge:write"], ["knowledge:read", "write"]):
        response = call("POST", "api-keys/", {"name": "a", "scopes": scopes}, key=small)
        assert (response.status_code, response.json()["code"]) == (403, "missing_scope")
    assert (
        call("POST", "api-keys/", {"name": "a", "scopes": ["knowledge:read"]}, key=small).status_code == 201
    )
    assert call("POST", f"api-keys/{wide['id']}/rotate", {}, key=small).status_code == 403


def test_rotation_leaves_both_good_for_the_overlap(call, acme):
    old = make(call)
    new = call("POST", f"api-keys/{old['id']}/rotate", {"overlap_s": 60})
    assert new.status_code == 201
    assert (new.json()["name"], new.json()["scopes"]) == (old["name"], old["scopes"])
    assert call("GET", "widgets/", key=old["key"]).status_code == 200
    assert call("GET", "widgets/", key=new.json()["key"]).status_code == 200
    with acting_as(acme):
        ends = ApiKey.objects.get(pk=old["id"]).expires_at
        assert timedelta(seconds=50) < ends - timezone.now() < timedelta(seconds=61)
        ApiKey.objects.filter(pk=old["id"]).update(expires_at=timezone.now() - timedelta(minutes=1))
    assert call("GET", "widgets/", key=old["key"]).status_code == 401
    assert call("POST", f"api-keys/{old['id']}/rotate").status_code == 404


def test_rotation_defaults_to_a_day_and_zero_revokes_at_once(call, acme):
    old = make(call)
    newer = call("POST", f"api-keys/{old['id']}/rotate").json()
    with acting_as(acme):
        assert ApiKey.objects.get(pk=old["id"]).expires_at - timezone.now() > timedelta(hours=23)
    call("POST", f"api-keys/{newer['id']}/rotate", {"overlap_s": 0})
    assert call("GET", "widgets/", key=newer["key"]).status_code == 401
    assert call("POST", f"api-keys/{old['id']}/rotate", {"overlap_s": -1}).status_code == 400


def test_another_tenants_keys_are_not_there(call, bolt):
    cast.api_key(bolt)
    with acting_as(bolt):
        theirs = ApiKey.objects.get()
    assert str(theirs.pk) not in call("GET", "api-keys/").content.decode()
    for verb, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "rotate")):
        assert (
            call(verb, f"api-keys/{theirs.pk}/{path}", {"name": "x"} if verb == "PATCH" else {}).status_code
            == 404
        )
    with acting_as(bolt):
        theirs.refresh_from_db()
        assert theirs.revoked_at is None
