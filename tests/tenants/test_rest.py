import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.limiting import Limit
from tenants.authentication import issue_api_key, revoke_api_key
from tenants.context import acting_as, current_tenant
from tenants.models import ApiKey
from tenants.rest import views
from tests import cast

pytestmark = [pytest.mark.urls("tests.tenants.rest_doors")]
MISSING = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
def call(client, acme):
    secret = cast.api_key(acme)

    def send(method, path, body=None, *, raw=None, key=secret, content_type="application/json", **headers):
        if key:
            headers["Authorization"] = f"Bearer {key}"
        data = raw if raw is not None else (b"" if body is None else orjson.dumps(body))
        return client.generic(method, path, data, content_type=content_type, headers=headers)

    return send


def expect_problem(response, status, code):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "detail", "code", "errors"}
    assert (body["status"], body["code"]) == (status, code)
    return body


def fields_of(response):
    return {error["field"] for error in expect_problem(response, 400, "invalid")["errors"]}


class TestCallers:
    @pytest.mark.parametrize(
        "header", [None, "Basic YTpi", "Bearer", "Bearer a b", "Bearer fd_sk_unknown", "Bearer sk"]
    )
    def test_without_a_good_key_is_401_with_a_challenge(self, call, header):
        response = call("GET", "/api/keys/", key=None, **({"Authorization": header} if header else {}))
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Bearer")
        assert response.json()["code"] in {"not_authenticated", "bad_authorization", "bad_key"}

    def test_a_revoked_key_opens_nothing(self, call, acme):
        with acting_as(acme):
            key, secret = issue_api_key("old", ["read"])
        assert call("GET", "/api/keys/", key=secret).status_code == 200
        with acting_as(acme):
            revoke_api_key(key.pk)
        expect_problem(call("GET", "/api/keys/", key=secret), 401, "bad_key")

    @pytest.mark.parametrize(
        ("scope", "may_read", "may_write"),
        [
            ("read", True, False),
            ("write", False, True),
            ("knowledge:read", True, False),
            ("knowledge:write", False, True),
            ("billing:read", False, False),
            ("account:write", False, False),
        ],
    )
    def test_scopes_are_by_area_and_write_does_not_imply_read(self, call, acme, scope, may_read, may_write):
        secret = cast.api_key(acme, scope)
        assert (call("POST", "/api/asks/", {}, key=secret).status_code == 200) is may_read
        assert (call("POST", "/api/echo/", {"name": "a"}, key=secret).status_code == 200) is may_write

    def test_a_missing_scope_is_named(self, call, acme):
        body = expect_problem(
            call("GET", "/api/keys/", key=cast.api_key(acme, "billing:read")), 403, "missing_scope"
        )
        assert "account:read" in body["detail"]

    def test_an_asking_view_has_a_principal_and_no_transaction(self, call, acme):
        assert call("POST", "/api/asks/", {}).json() == {"tenant": str(acme.id), "inside": False}

    def test_no_tenant_remains_after_a_request(self, call):
        call("GET", "/api/keys/")
        assert current_tenant() is None


class TestTenants:
    def test_lists_and_lookups_hold_the_callers_rows_only(self, call, acme, bolt):
        cast.api_key(bolt)
        with acting_as(bolt):
            foreign = ApiKey.objects.get()
        with acting_as(acme):
            own = ApiKey.objects.get()
        assert [row["id"] for row in call("GET", "/api/keys/").json()["results"]] == [str(own.pk)]
        assert call("GET", f"/api/keys/{own.pk}/").json() == {"name": "tests"}
        expect_problem(call("GET", f"/api/keys/{foreign.pk}/"), 404, "not_found")
        expect_problem(call("GET", f"/api/keys/{MISSING}/"), 404, "not_found")


class TestProblems:
    @pytest.mark.parametrize(
        ("name", "status", "code"),
        [
            ("conflict", 409, "conflict"),
            ("not-allowed", 403, "not_allowed"),
            ("too-large", 413, "too_large"),
            ("type", 415, "unsupported_type"),
            ("budget", 402, "budget_reached"),
            ("provider", 503, "model_unavailable"),
            ("data", 400, "invalid"),
            ("integrity", 409, "conflict"),
            ("bug", 500, "internal"),
        ],
    )
    def test_every_error_has_its_status_leaks_nothing_and_rolls_back(self, call, acme, name, status, code):
        with acting_as(acme):
            key = ApiKey.objects.get()
        response = call("PATCH", f"/api/keys/{key.pk}/", {"error": name})
        expect_problem(response, status, code)
        assert b"secret" not in response.content
        assert response.get("Retry-After") == ("3" if name == "provider" else None)
        with acting_as(acme):
            assert ApiKey.objects.get().name == "tests"

    def test_unknown_addresses_methods_and_types(self, call):
        expect_problem(call("GET", "/api/nothing/"), 404, "not_found")
        expect_problem(call("GET", "/api/keys/not-an-id/"), 404, "not_found")
        expect_problem(call("DELETE", "/api/keys/"), 405, "method_not_allowed")
        expect_problem(call("OPTIONS", "/api/keys/"), 405, "method_not_allowed")
        assert call("DELETE", "/api/keys/")["Allow"] == "GET, HEAD"
        expect_problem(call("GET", "/api/keys/", Accept="text/csv"), 406, "not_acceptable")
        expect_problem(
            call("POST", "/api/echo/", raw=b"<a/>", content_type="text/xml"), 415, "unsupported_media_type"
        )
        expect_problem(
            call("POST", "/api/echo/", raw=b"{}", content_type="application/json; charset=latin-1"),
            415,
            "unsupported_media_type",
        )

    def test_pages_of_people_get_djangos_own(self, client, db):
        assert client.get("/nothing/")["Content-Type"].startswith("text/html")

    @pytest.mark.parametrize(
        "raw",
        [
            b"{",
            b"\xff",
            b'{"name": NaN}',
            b'{"name": "\\ud800"}',
            b"[" * 3000 + b"]" * 3000,
            b"\xef\xbb\xbf{}",
        ],
    )
    def test_a_body_that_is_no_json_is_malformed(self, call, raw):
        expect_problem(call("POST", "/api/echo/", raw=raw), 400, "malformed")

    def test_too_deep_too_large_and_nul(self, call):
        deep = b'{"name": "a", "metadata": ' + b'{"a":' * 70 + b"1" + b"}" * 71
        assert fields_of(call("POST", "/api/echo/", raw=deep))
        expect_problem(call("POST", "/api/echo/", raw=b" " * (12 * 1024 * 1024 + 1)), 413, "too_large")
        assert fields_of(call("POST", "/api/echo/", {"name": "a\0b"})) == {"name"}
        assert fields_of(call("POST", "/api/echo/", {"name": "a", "metadata": {"b": ["\0"]}})) == {
            "metadata.b.0"
        }

    def test_a_route_works_with_and_without_its_slash(self, call):
        assert call("POST", "/api/echo", {"name": "a"}).json() == {"name": "a"}

    def test_an_idempotency_key_is_no_obstacle(self, call):
        assert call("POST", "/api/echo/", {"name": "a"}, **{"Idempotency-Key": "1"}).status_code == 200


class TestFields:
    GOOD = {
        "name": "a", "count": 3, "share": 0.7, "price": "0.00125", "on": True, "other": MISSING, "colour": "red",
        "at": "2026-01-02T03:04:05Z", "tags": ["a"], "metadata": {"a": [1, None]},
    }  # fmt: skip

    def test_good_values_come_back_as_they_were(self, call):
        answer = call("POST", "/api/echo/", {**self.GOOD, "id": MISSING}).json()
        assert answer == {**self.GOOD, "share": "0.7"}

    @pytest.mark.parametrize(
        ("field", "value"),
        [("name", 1), ("name", None), ("name", ""), ("name", "x" * 21), ("name", ["a"]), ("count", "3"),
         ("count", True),
         ("count", 1.5), ("count", 0), ("share", "0.7"), ("share", False), ("share", 3), ("share", 0.123), ("price", 1),
         ("price", "1e400"), ("price", "NaN"), ("on", 1), ("on", "true"), ("other", 7), ("other", "x" * 36),
         ("colour", "green"), ("colour", 1), ("colour", ["red"]), ("at", 5), ("at", "yesterday"), ("tags", "a"),
         ("tags", ["a", "b", "c"]), ("metadata", []), ("metadata", {"a": "x" * 70_000}), ("nobody", 1)],
    )  # fmt: skip
    def test_a_wrong_value_is_400_naming_its_field(self, call, field, value):
        assert fields_of(call("POST", "/api/echo/", {**self.GOOD, field: value})) == {field}

    def test_the_path_of_an_item_is_dotted(self, call):
        assert fields_of(call("POST", "/api/echo/", {**self.GOOD, "tags": ["a", 5]})) == {"tags.1"}

    @pytest.mark.parametrize("body", [[], "text", 5, True])
    def test_a_body_that_is_no_object(self, call, body):
        assert fields_of(call("POST", "/api/echo/", body)) == {""}

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.dictionaries(
            st.sampled_from([*GOOD, "id", "else"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
                max_leaves=5,
            ),
        )
    )  # fmt: skip
    def test_no_json_is_too_odd_for_an_answer(self, call, body):
        import json

        response = call("PATCH", "/api/echo/", raw=json.dumps(body).encode())
        assert response.status_code in {200, 400}
        assert isinstance(response.json(), dict)


class TestPages:
    def test_every_row_once_newest_first(self, call, acme, bolt):
        cast.api_key(bolt)
        with acting_as(acme):
            for number in range(7):
                issue_api_key(str(number), ["read"])
        seen, cursor, pages = [], "", 0
        while cursor is not None:
            page = call("GET", f"/api/keys/?limit=3{cursor and '&cursor=' + cursor}").json()
            seen += [row["name"] for row in page["results"]]
            cursor, pages = page["next"], pages + 1
        assert seen == ["6", "5", "4", "3", "2", "1", "0", "tests"]
        assert pages == 3

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=101", "limit=a", "limit=1.0", "limit=", "limit=٣", "limit=-1", "cursor=",
                  "cursor=?",
                  "cursor=AAAA", "cursor=e30", "cursor=W10", "cursor=WzEsMl0", "cursor=é", "cursor=" + "A" * 400,
                  "cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwgIjEiXQ"],
    )  # fmt: skip
    def test_a_bad_limit_or_cursor_is_400(self, call, query):
        assert fields_of(call("GET", f"/api/keys/?{query}")) <= {"limit", "cursor"}


class TestLimits:
    @pytest.fixture
    def tight(self, settings, redis, monkeypatch):
        settings.RATE_LIMITS = True
        monkeypatch.setattr(views, "PER_CALLER", Limit("caller", 0.01, 3))

    def test_every_answer_says_how_much_room_is_left_and_too_much_is_429(self, call, tight, bolt):
        left = [call("GET", "/api/keys/")["RateLimit"] for _ in range(3)]
        assert [one.partition(";t=")[0] for one in left] == [f'"caller";r={n}' for n in (2, 1, 0)]
        refused = call("GET", "/api/keys/")
        expect_problem(refused, 429, "rate_limited")
        assert 90 < int(refused["Retry-After"]) <= 100
        assert refused["RateLimit-Policy"] == '"caller";q=3;w=300'
        assert call("GET", "/api/keys/", key=cast.api_key(bolt)).status_code == 200

    def test_a_tenants_keys_share_the_tenants_room(self, call, tight, acme, bolt, monkeypatch):
        monkeypatch.setattr(views, "PER_TENANT", Limit("tenant", 0.01, 2))
        keys = [cast.api_key(acme) for _ in range(3)]
        assert [call("GET", "/api/keys/", key=key).status_code for key in keys] == [200, 200, 429]
        assert call("GET", "/api/keys/", key=cast.api_key(bolt)).status_code == 200
