"""Documents from web addresses: fetched by the worker through the one way out, cited by address, fetched again."""

from functools import partial

import orjson
import pytest

from kernel.errors import InvalidInput
from kernel.outbound import OutboundError, Reply, fetch
from knowledge import fetching, ingest, search, tasks
from knowledge.documents import change_document
from knowledge.models import Document, DocumentVersion, StoredFile
from knowledge.uploading import add_page
from tenants.context import acting_as
from tests import cast
from tests.kernel.test_outbound import Loopback, Server, without_bytes
from tests.knowledge import corpus, making

pytestmark = pytest.mark.urls("tests.knowledge.urls")

URL = "https://help.acme.com/returns"
PAGE = (
    "<html><head><title>Returns at Acme</title></head><body><nav>Home</nav><h1>Returning a hub</h1>"
    "<p>You may return a hub within {} days.</p></body></html>"
)


@pytest.fixture(autouse=True)
def store(settings, tmp_path):
    settings.STORAGE_URL = f"file://{tmp_path / 'files'}"


@pytest.fixture
def web(monkeypatch):
    """What each address answers: (status, content type, body) or an error."""
    pages = {}

    def answer(url, **_):
        found = pages[url]
        if isinstance(found, Exception):
            raise found
        status, content_type, body = found
        return Reply(status, url, {"content-type": content_type}, body)

    monkeypatch.setattr(fetching, "fetch", answer)
    return pages


def page_of(days):
    return (200, "text/html; charset=utf-8", PAGE.format(days).encode())


def fetched(tenant, url=URL, **fields):
    with acting_as(tenant):
        document = add_page(url, **fields)
    ingest.ingest(corpus.ref(tenant), document.pk)
    with acting_as(tenant):
        return Document.objects.get(pk=document.pk)


def test_a_page_is_found_and_cited_by_its_address(acme, bolt, web):
    web[URL] = page_of(60)
    fetched(bolt)
    document = fetched(acme, category="orders")
    assert (document.status, document.error, document.title) == ("ready", "", "Returns at Acme")
    assert (document.external_id, document.metadata, document.category) == (URL, {"url": URL}, "orders")
    (hit,) = search.search(acme, "How long may I return a hub?").results
    assert (hit.document_id, hit.url) == (document.pk, URL)
    with acting_as(acme):
        assert document.content == "# Returning a hub\n\nYou may return a hub within 60 days."
        assert (document.newest.file_name, document.newest.url) == ("returns.html", URL)


def test_fetching_again_updates_the_same_document(acme, web):
    web[URL] = page_of(60)
    first = fetched(acme)
    same = fetched(acme)
    assert (same.pk, same.version, same.latest, same.status) == (first.pk, 1, 1, "ready")
    web[URL] = page_of(90)
    with acting_as(acme):
        waiting = add_page(URL)
        assert (waiting.status, waiting.title) == ("pending", "Returns at Acme")
        assert add_page(URL).latest == waiting.latest
    ingest.ingest(corpus.ref(acme), first.pk)
    (hit,) = search.search(acme, "return a hub").results
    assert "90 days" in hit.content
    with acting_as(acme):
        assert DocumentVersion.objects.count() == 2
        assert StoredFile.objects.count() == 2
        change_document(first.pk, title="Mine")
        assert first.newest.url == URL


@pytest.mark.parametrize(
    ("path", "content_type", "body", "name", "text"),
    [
        ("/", "text/html", b"<p>Hello there</p>", "help.acme.com.html", "Hello there"),
        ("/a.php?x=1", "text/html; charset=\"iso-8859-1\"", "<p>Größe</p>".encode("latin-1"), "a.php.html", "Größe"),
        ("/m.pdf", "application/pdf", making.pdf(["A manual."]), "m.pdf", "## Page 1\n\nA manual."),
        ("/download", "application/octet-stream", making.pdf(["A manual."]), "download.pdf", "## Page 1\n\nA manual."),
        ("/m.pdf", "", b"<p>Sign in first</p>", "m.pdf", None),
        ("/README.md", "text/plain", b"# Hi\n\nthere", "README.md",
             "# Hi\n\nthere"),
        ("/prices", "text/csv", b"a,b\nx,y\n", "prices.csv", "a: x\nb: y"),
        ("/x", "", b"plain words", "x.txt", "plain words"),
        ("/%2e%2e%2fetc", "text/plain", b"plain words", "etc.txt", "plain words"),
        ("/i.png", "image/png", b"\x89PNG", None, None), ("/z", "application/zip", b"PK\x03\x04", None, None),
        ("/t", "text/html", b"\x89PNG\r\n", None, None),
    ],
    ids=without_bytes,
)  # fmt: skip
def test_each_kind_is_taken_for_what_it_is(acme, web, path, content_type, body, name, text):
    url = f"https://help.acme.com{path}"
    web[url] = (200, content_type, body)
    document = fetched(acme, url)
    with acting_as(acme):
        assert document.status == ("ready" if text else "failed"), document.error
        assert document.content == (text or "")
        if text:
            assert document.newest.file_name == name
        else:
            assert len(document.error) > 20


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"gone"), (403, b"no"), (204, b""), (200, b""), (301, b"")]
)
def test_a_page_that_is_not_there_fails_and_leaves_the_old_text(acme, web, status, body):
    web[URL] = page_of(60)
    fetched(acme)
    web[URL] = (status, "text/html", body)
    document = fetched(acme)
    assert (document.status, document.version) == ("failed", 1)
    assert document.error.startswith("url: the page ")
    assert len(search.search(acme, "return a hub").results) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            OutboundError("help.acme.com leads to an address that is not public.", code="refused"),
            "not public",
        ),
        (OutboundError("It is larger than 10 MB.", code="too_large"), "larger than 10 MB"),
    ],
)
def test_what_will_never_work_fails_at_once(acme, web, answer, said):
    web[URL] = answer
    document = fetched(acme)
    assert document.status == "failed"
    assert document.error.startswith("url: ")
    assert said in document.error


def test_what_may_work_later_is_tried_again_and_given_up_at_last(acme, web):
    web[URL] = (503, "text/html", b"busy")
    with acting_as(acme):
        document = add_page(URL)
    with pytest.raises(OutboundError):
        ingest.ingest(corpus.ref(acme), document.pk)
    with acting_as(acme):
        document.refresh_from_db()
        assert (document.status, document.error) == ("pending", "url: The page answers with status 503.")
        tasks.ingest_document.apply(
            args=[str(document.pk)], headers={"tenant_id": str(acme.pk)}, retries=tasks.PAGE_RETRIES
        )
        document.refresh_from_db()
        assert (document.status, document.error) == ("failed", "url: The page answers with status 503.")


def test_through_the_real_client(acme, monkeypatch):
    body = PAGE.format(60).encode()
    moved = b"HTTP/1.1 301 Moved\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    server = Server(moved, answer)
    monkeypatch.setattr(fetching, "fetch", partial(fetch, network=Loopback(server.port)))
    monkeypatch.setattr("knowledge.uploading.check_url", lambda url: url)
    document = fetched(acme, server.url("/old"))
    server.close()
    assert (document.status, document.title) == ("ready", "Returns at Acme")
    assert document.url == server.url("/old")


class TestDoor:
    @pytest.fixture
    def post(self, client, acme):
        headers = {"Authorization": f"Bearer {cast.api_key(acme)}"}
        return lambda body: client.generic(
            "POST", "/api/v1/documents/", orjson.dumps(body), "application/json", headers=headers
        )

    def test_an_address_is_taken(self, post, acme, web):
        response = post({"url": URL, "collection": "public", "metadata": {"tags": ["a"]}})
        assert response.status_code == 202, response.content
        document = response.json()
        assert (document["status"], document["title"], document["content"]) == ("pending", URL, "")
        assert (document["metadata"], document["file"]) == ({"url": URL, "tags": ["a"]}, None)
        web[URL] = page_of(60)
        ingest.ingest(corpus.ref(acme), document["id"])
        assert post({"url": URL}).json()["id"] == document["id"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"url": "http://127.0.0.1/"}, "url"), ({"url": "http://[::1]/"}, "url"),
            ({"url": "file:///etc/passwd"}, "url"),
            ({"url": "http://169.254.169.254/latest/meta-data"}, "url"), ({"url": ""}, "url"), ({"url": 7}, "url"),
            ({"url": None}, "url"), ({"url": "https://a.example:22/"}, "url"),
            ({"url": URL, "content": "x"}, "content"),
            ({"url": URL, "title": ""}, "title"), ({"url": URL + "x" * 500}, "external_id"),
            ({"url": URL, "metadata": {"url": "javascript:x"}}, "metadata"),
        ],
        ids=without_bytes,
    )  # fmt: skip
    def test_wrong_ones_are_refused_by_field(self, post, acme, body, field):
        response = post(body)
        assert response.status_code == 400, response.content
        assert field in {error["field"] for error in response.json()["errors"]}
        with acting_as(acme):
            assert not Document.objects.exists()


def test_a_long_address_needs_a_name(acme):
    with acting_as(acme):
        with pytest.raises(InvalidInput, match="external_id"):
            add_page(URL + "x" * 500)
        assert add_page(URL + "x" * 500, external_id="long").external_id == "long"
