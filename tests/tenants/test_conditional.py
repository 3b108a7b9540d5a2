"""Conditional requests: what one has is not sent again, and what somebody else changed is not written over."""

import threading

import pytest
from django.test import Client

from config.api import document
from config.describing import operations
from tenants.context import acting_as
from tests import conversations
from tests.tenants.callers import caller, code_of
from widgets.models import Widget
from widgets.script import etag, proof

pytestmark = pytest.mark.django_db


@pytest.fixture
def call(acme, bolt, client, settings):
    settings.RATE_LIMITS = False
    return caller(client, acme)


@pytest.fixture
def path(call):
    call("POST", "widgets/", {"name": "Another"})
    return f"widgets/{call('POST', 'widgets/', {'name': 'Main'}).json()['id']}/"


class TestReading:
    def test_what_one_has_is_not_sent_again(self, call, path):
        first = call("GET", path)
        known = call("GET", path, **{"If-None-Match": first["ETag"]})
        assert (known.status_code, known.content, known["ETag"]) == (304, b"", first["ETag"])
        assert "Content-Type" not in known
        assert first["Cache-Control"] == known["Cache-Control"] == "private, no-cache"
        assert call("GET", path).content == first.content

    def test_what_has_changed_is(self, call, path):
        first = call("GET", path)
        call("PATCH", path, {"name": "Renamed"})
        again = call("GET", path, **{"If-None-Match": first["ETag"]})
        assert (again.status_code, again.json()["name"]) == (200, "Renamed")
        assert again["ETag"] != first["ETag"]

    @pytest.mark.parametrize(
        ("header", "status"),
        [
            ("*", 304),
            ('"x", {etag}', 304),
            ("W/{etag}", 304),
            ('"x"', 200),
            ("nonsense", 200),
            ("", 200),
            ('"', 200),
        ],
    )
    def test_as_the_standard_reads_it(self, call, path, header, status):
        asked = header.format(etag=call("GET", path)["ETag"])
        assert call("GET", path, **{"If-None-Match": asked}).status_code == status

    def test_small_lists_too_and_hot_ones_not(self, call, path):
        first = call("GET", "widgets/")
        assert call("GET", "widgets/", **{"If-None-Match": first["ETag"]}).status_code == 304
        assert call("GET", "widgets/?limit=1", **{"If-None-Match": first["ETag"]}).status_code == 200
        assert "ETag" not in call("GET", "sessions/")

    def test_anothers_is_not_found_whatever_version_is_named(self, call, bolt, path):
        theirs = conversations.widget(bolt)
        for method, header in (("GET", "If-None-Match"), ("PATCH", "If-Match"), ("DELETE", "If-Match")):
            for value in ("*", '"x"'):
                refused = call(method, f"widgets/{theirs.pk}/", {"name": "Mine"}, **{header: value})
                assert code_of(refused, 404) == "not_found"
        with acting_as(bolt):
            assert Widget.objects.get(pk=theirs.pk).name == theirs.name

    def test_the_document_and_the_widgets_scripts(self, client, acme):
        shown = conversations.known_widget(acme)
        for url in ("/api/v1/openapi.json", f"/widget/v1.js?w={shown.public_key}", "/widget/v1/proof.js"):
            first = client.get(url)
            known = client.get(url, headers={"If-None-Match": first["ETag"]})
            assert (known.status_code, known.content) == (304, b"")
            assert known["Access-Control-Allow-Origin"] == "*"
            assert client.get(url, headers={"If-None-Match": '"x"'}).status_code == 200
        assert client.get("/widget/v1/proof.js")["ETag"] == etag(proof())


class TestChanging:
    def test_the_version_that_was_read_is_changed(self, call, path):
        version = call("GET", path)["ETag"]
        assert call("PATCH", path, {"name": "Mine"}, **{"If-Match": version}).status_code == 200
        assert call("DELETE", path, **{"If-Match": call("GET", path)["ETag"]}).status_code == 204

    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    def test_another_is_not(self, call, path, method):
        version = call("GET", path)["ETag"]
        call("PATCH", path, {"name": "Theirs"})
        refused = call(method, path, {"name": "Mine"}, **{"If-Match": version})
        assert code_of(refused, 412) == "version_changed"
        assert call("GET", path).json()["name"] == "Theirs"

    @pytest.mark.parametrize(
        ("header", "status"),
        [("*", 200), ('"x", {etag}', 200), ("W/{etag}", 412), ('"x"', 412), ("nonsense", 412)],
    )
    def test_as_the_standard_reads_it(self, call, path, header, status):
        asked = header.format(etag=call("GET", path)["ETag"])
        assert call("PATCH", path, {"name": "New"}, **{"If-Match": asked}).status_code == status

    def test_what_is_gone_or_has_no_such_method_says_so(self, call, path):
        call("DELETE", path)
        assert code_of(call("PATCH", path, {"name": "x"}, **{"If-Match": "*"}), 404) == "not_found"
        assert code_of(call("PUT", path, {"name": "x"}, **{"If-Match": "*"}), 405) == "method_not_allowed"

    def test_a_key_that_may_write_only_may_name_a_version(self, acme, client, path, call):
        version = call("GET", path)["ETag"]
        writes = caller(client, acme, "widgets:write")
        assert writes("PATCH", path, {"name": "Mine"}, **{"If-Match": version}).status_code == 200

    @pytest.mark.django_db(transaction=True)
    def test_of_many_that_name_the_same_version_one_gets_through(self, acme, bolt, settings):
        settings.RATE_LIMITS = False
        call = caller(Client(), acme)
        path = f"widgets/{call('POST', 'widgets/', {'name': 'Main'}).json()['id']}/"
        version = call("GET", path)["ETag"]
        start, told = threading.Barrier(8), []

        def change(number):
            from django.db import connection

            start.wait(10)
            try:
                changed = caller(Client(), acme)(
                    "PATCH", path, {"name": f"Of {number}"}, **{"If-Match": version}
                )
                told.append((changed.status_code, number))
            finally:
                connection.close()

        threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(status for status, _ in told) == [200] + [412] * 7
        (winner,) = (number for status, number in told if status == 200)
        assert call("GET", path).json()["name"] == f"Of {winner}"


def test_it_is_documented_wherever_it_is_so():
    versioned = 0
    for operation in operations(document()):
        names = {parameter.get("name") for parameter in operation.get("parameters", ())}
        responses = operation["responses"]
        assert ("304" in responses) == ("If-None-Match" in names)
        assert ("412" in responses) == ("If-Match" in names)
        versioned += "304" in responses
    assert versioned >= 25
