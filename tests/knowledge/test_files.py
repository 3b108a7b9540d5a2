"""Documents from files: through the door, read by a worker's own process, found by search, downloaded, deleted."""

import hashlib
import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from kernel.clock import now
from kernel.errors import InvalidInput, UnsupportedType
from knowledge import ingest, purging, search, tasks
from knowledge.documents import change_document, delete_document
from knowledge.files.recognising import MAX_FILE, clean_name, title_of
from knowledge.files.storing import contents
from knowledge.models import Document, DocumentVersion, StoredFile
from knowledge.uploading import upload
from tenants.context import acting_as
from tenants.models import DueWork
from tests import cast
from tests.kernel.test_outbound import without_bytes
from tests.knowledge import corpus, making

pytestmark = pytest.mark.urls("tests.knowledge.urls")

RETURNS = b"# Returning a hub\n\nYou may return a hub within 60 days of delivery."


@pytest.fixture(autouse=True)
def store(settings, tmp_path):
    settings.STORAGE_URL = f"file://{tmp_path / 'files'}"
    return tmp_path / "files"


def sent(tenant, name, data, **fields):
    """A file, uploaded and read."""
    with acting_as(tenant):
        document = upload(name, data, **fields)
    ingest.ingest(corpus.ref(tenant), document.pk)
    with acting_as(tenant):
        return Document.objects.get(pk=document.pk)


def text_of(tenant, document):
    with acting_as(tenant):
        return document.content


class TestKinds:
    @pytest.mark.parametrize(
        ("name", "data", "title", "text"),
        [
            ("returns.md", RETURNS, "Returning a hub", RETURNS.decode()),
            ("opening_hours.txt", b"Open from 9 to 5.\r\n", "opening hours", "Open from 9 to 5."),
            ("page.html", b"<title>Our hours</title><nav>Menu</nav><h2>Hours</h2><p>Nine to five</p>",
             "Our hours", "## Hours\n\nNine to five"),
            ("handbook.docx", making.docx("# Handbook", "Welcome.", "## Leave", "Thirty days."), "Handbook",
             "# Handbook\n\nWelcome.\n\n## Leave\n\nThirty days."),
            ("core.docx", making.docx("Welcome.", title="Core &amp; more"), "Core & more", "Welcome."),
            ("manual.pdf", making.pdf(["First things."], ["Second things."]), "manual",
             "## Page 1\n\nFirst things.\n\n## Page 2\n\nSecond things."),
            ("manual.pdf", making.drawn_pdf(b"BT /F1 12 Tf 9 9 Td (Press it.) Tj ET", title="The Manual",
                                            outline="Chapter One"), "The Manual",
             "# Chapter One\n\n## Page 1\n\nPress it."),
            ("junk.pdf", making.drawn_pdf(b"BT /F1 12 Tf 9 9 Td (Press it.) Tj ET",
                                          title="Microsoft Word - final3.docx"), "junk", "## Page 1\n\nPress it."),
            ("prices.csv", "Product;Price\nHub;20,50 €\nLock;30 €\n".encode(), "prices",
             "Product: Hub\nPrice: 20,50 €\n\nProduct: Lock\nPrice: 30 €"),
            ("faq.tsv", b'Question\tAnswer\n"Where\nis it?"\tHere\t\n', "faq", "Question: Where is it?\nAnswer: Here"),
            ("excel.csv", b"sep=|\nName|Age\nAnn|30\n", "excel", "Name: Ann\nAge: 30"),
            ("numbers.csv", b"1,2\n3,4\n", "numbers", "1; 2\n\n3; 4"),
        ],
        ids=without_bytes,
    )  # fmt: skip
    def test_each_is_read_with_its_title(self, acme, name, data, title, text):
        document = sent(acme, name, data)
        assert (document.status, document.error) == ("ready", "")
        assert (document.title, text_of(acme, document)) == (title, text)

    @pytest.mark.parametrize(
        "suffix", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
    )
    def test_encodings(self, acme, suffix):
        text = "Die Größe der Straße beträgt fünf Meter, “ungefähr” 5 €."
        assert text_of(acme, sent(acme, "a.txt", text.encode(suffix))) == text

    def test_a_page_names_its_encoding(self, acme):
        page = '<meta charset="windows-1251"><title>Часы</title><p>Открыто утром</p>'.encode("cp1251")
        document = sent(acme, "a.html", page)
        assert (document.title, text_of(acme, document)) == ("Часы", "Открыто утром")

    def test_running_heads_of_a_pdf_go_and_broken_words_are_joined(self, acme):
        pages = [
            ["Acme handbook", f"The valve {word} clo-", "ses at night.", f"Page {n} of 5"]
            for n, word in enumerate(["alpha", "beta", "gamma", "delta", "epsilon"], 1)
        ]
        text = text_of(acme, sent(acme, "a.pdf", making.pdf(*pages)))
        assert "Acme handbook" not in text
        assert "of 5" not in text
        assert "## Page 3\n\nThe valve gamma closes at night." in text

    def test_pages_and_headings_are_found_and_cited(self, acme, bolt):
        sent(bolt, "bolt.pdf", making.pdf(["Bikes are returned at any valve station."]))
        book = making.pdf(["A greeting."], ["Another one."], ["The red valve opens in seven seconds."])
        manual = sent(acme, "manual.pdf", book)
        guide = sent(acme, "guide.docx", making.docx("# Guide", "## Locks", "A lock needs two batteries."))
        (hit, *_) = search.search(acme, "How fast does the red valve open?").results
        assert hit.document_id == manual.pk
        assert "seven seconds" in hit.content
        assert "Page 3" in hit.heading + hit.content
        (hit, *_) = search.search(acme, "How many batteries does a lock need?").results
        assert (hit.document_id, hit.heading) == (guide.pk, "Guide > Locks")


class TestUploading:
    def test_the_bytes_are_kept_once_per_tenant(self, acme, bolt, store):
        document = sent(acme, "a.md", RETURNS)
        sent(acme, "b.md", RETURNS)
        sent(bolt, "a.md", RETURNS)
        digest = hashlib.sha256(RETURNS).hexdigest()
        kept = sorted(path.relative_to(store) for path in store.rglob("*") if path.is_file())
        assert [path.parts for path in kept] == sorted(
            (str(tenant.pk), digest[:2], digest) for tenant in (acme, bolt)
        )
        assert contents(corpus.ref(acme), digest) == RETURNS
        with acting_as(acme):
            assert StoredFile.objects.get().size == len(RETURNS)
            newest = document.newest
            assert (newest.file.sha256, newest.file_name) == (digest, "a.md")

    def test_the_same_file_again_changes_nothing(self, acme):
        first = sent(acme, "a.md", RETURNS, external_id="r")
        with acting_as(acme):
            again = upload("a.md", RETURNS, external_id="r", category="orders")
            assert (again.pk, again.status, again.latest, again.category) == (first.pk, "ready", 1, "orders")

    def test_another_file_with_the_same_text_is_no_new_version(self, acme):
        sent(acme, "a.md", RETURNS, external_id="r")
        again = sent(acme, "b.md", RETURNS + b"\n", external_id="r")
        assert (again.status, again.version, again.latest) == ("ready", 1, 1)
        with acting_as(acme):
            assert (again.newest.file_name, StoredFile.objects.count()) == ("b.md", 1)

    def test_a_new_file_is_a_new_version_and_search_keeps_the_old_one_until_it_is_read(self, acme):
        sent(acme, "a.md", RETURNS, external_id="r")
        with acting_as(acme):
            document = upload("a.md", RETURNS.replace(b"60", b"90"), external_id="r")
            assert (document.status, document.version, document.latest, document.content) == (
                "pending",
                1,
                2,
                "",
            )
        assert "60 days" in search.search(acme, "return a hub").results[0].content
        ingest.ingest(corpus.ref(acme), document.pk)
        assert "90 days" in search.search(acme, "return a hub").results[0].content

    def test_a_failed_new_file_leaves_the_old_text_searchable(self, acme):
        sent(acme, "a.pdf", making.pdf(["Turn the valve left."]), external_id="v")
        failed = sent(acme, "a.pdf", making.scanned_pdf(), external_id="v")
        assert (failed.status, failed.version, failed.latest) == ("failed", 1, 2)
        assert "OCR" in failed.error
        assert [hit.document_id for hit in search.search(acme, "valve").results] == [failed.pk]
        with acting_as(acme):
            assert upload("a.pdf", making.scanned_pdf(), external_id="v").status == "pending"

    def test_a_given_title_stays_and_a_change_of_it_keeps_the_file(self, acme):
        document = sent(acme, "a.md", RETURNS, title="Mine")
        assert document.title == "Mine"
        with acting_as(acme):
            assert change_document(document.pk, title="Better").queued
            assert document.newest.file_name == "a.md"
            assert not change_document(document.pk, content=document.content, category="x").queued
            change_document(document.pk, content="Other text.")
            document.refresh_from_db()
            assert document.newest.file is None

    def test_a_title_chosen_before_the_file_is_read_stays(self, acme):
        with acting_as(acme):
            document = upload("a.md", RETURNS)
            assert document.title == "a"
            change_document(document.pk, title="Mine", category="x")
        ingest.ingest(corpus.ref(acme), document.pk)
        with acting_as(acme):
            document.refresh_from_db()
            assert (document.title, document.category, document.status) == ("Mine", "x", "ready")

    def test_a_newer_version_wins_over_the_file_in_work(self, acme, monkeypatch):
        with acting_as(acme):
            document = upload("a.pdf", making.scanned_pdf())
        from knowledge import reading

        extract = reading.extract

        def extract_while_somebody_edits(*args, **options):
            with acting_as(acme):
                change_document(document.pk, content="A text about valves.")
            return extract(*args, **options)

        monkeypatch.setattr(reading, "extract", extract_while_somebody_edits)
        assert ingest.ingest(corpus.ref(acme), document.pk) is False
        with acting_as(acme):
            document.refresh_from_db()
            assert (document.status, document.latest) == ("pending", 2)
            assert DueWork.objects.filter(kind=ingest.WORK, key=document.pk).exists()
        assert ingest.ingest(corpus.ref(acme), document.pk) is True

    def test_bytes_that_are_lost_are_a_reason(self, acme, store):
        with acting_as(acme):
            document = upload("a.md", RETURNS)
        next(path for path in store.rglob("*") if path.is_file()).unlink()
        ingest.ingest(corpus.ref(acme), document.pk)
        with acting_as(acme):
            document.refresh_from_db()
            assert "not in the store any more" in document.error

    @pytest.mark.parametrize(
        ("name", "data", "said"),
        [
            ("a.pdf", b"<html>", "“a.pdf” is not a PDF"), ("a.pdf", making.docx("x"), "is a ZIP archive"),
            ("a.docx", making.pdf(["x"]), "is not a Word document"), ("a.docx", making.archive({"x": "y"}), "archive"),
            ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "an old Office file"),
            ("a.txt", b"%PDF-1.7 x", "it is a PDF"), ("a.md", b"\x89PNG\r\n", "a picture"),
            ("a.csv", b"a\0b" * 100, "binary data"), ("a.txt", b"", "is empty"),
            ("a.txt", b"x" * (MAX_FILE + 1), "larger than 10 MB"),
        ],
        ids=without_bytes,
    )  # fmt: skip
    def test_what_is_not_what_its_name_says_is_refused(self, acme, name, data, said):
        with acting_as(acme), pytest.raises(InvalidInput, match="file: ") as refused:
            upload(name, data)
        assert said in refused.value.detail
        with acting_as(acme):
            assert not Document.objects.exists()
            assert not StoredFile.objects.exists()

    @pytest.mark.parametrize("name", ["a.exe", "a", "a.pdf.zip", ".pdf.", "a.🙂", "a.doc"])
    def test_other_kinds_are_refused(self, acme, name):
        with acting_as(acme), pytest.raises(UnsupportedType, match="read are pdf, docx"):
            upload(name, b"text")

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("../../etc/passwd.txt", "passwd.txt"), ("..\\..\\boot.txt", "boot.txt"), ("a\0b\n.txt", "ab.txt"),
            ("evil\u202etxt.pdf", "eviltxt.pdf"), ("x" * 5000 + ".txt", "x" * 196 + ".txt"),
            ("/.txt", "file.txt"), ("…/", "file"), ("", "file"), ("a.txt\ud800", "a.txt"),
            ("e\u0301.txt", "é.txt"),
        ],
    )  # fmt: skip
    def test_names_lead_nowhere(self, acme, store, given, kept):
        assert clean_name(given) == kept
        if kept.endswith(".txt"):
            document = sent(acme, given, b"Some text")
            assert document.status == "ready"
            with acting_as(acme):
                assert document.newest.file_name == kept
            assert {path.parents[1] for path in store.rglob("*") if path.is_file()} == {store / str(acme.pk)}

    def test_titles_from_names(self):
        assert title_of("opening_hours-2026.pdf") == "opening hours-2026"
        assert title_of(".txt") == ".txt"


class TestDoor:
    @pytest.fixture
    def post(self, client, acme):
        secret = cast.api_key(acme)

        def send(data, path="documents/"):
            return client.post(f"/api/v1/{path}", data, headers={"Authorization": f"Bearer {secret}"})

        return send

    @pytest.fixture
    def get(self, client, acme):
        secret = cast.api_key(acme)
        return lambda path, key=secret, **headers: client.get(
            f"/api/v1/{path}", headers={"Authorization": f"Bearer {key}", **headers}
        )

    def test_a_file_is_taken_read_and_can_be_downloaded_by_its_tenant_only(self, acme, bolt, post, get):
        file = SimpleUploadedFile("../Rück gabe.md", RETURNS)
        fields = {
            "category": "orders",
            "metadata": json.dumps({"url": "https://acme.com/r"}),
            "external_id": "r",
        }
        response = post({"file": file, **fields})
        assert response.status_code == 202, response.content
        document = response.json()
        assert (document["status"], document["title"], document["content"]) == ("pending", "Rück gabe", "")
        assert document["file"] == {
            "name": "Rück gabe.md", "size": len(RETURNS), "sha256": hashlib.sha256(RETURNS).hexdigest(),
        }  # fmt: skip
        ingest.ingest(corpus.ref(acme), document["id"])
        read = get(f"documents/{document['id']}/").json()
        assert (read["status"], read["title"], read["category"]) == ("ready", "Returning a hub", "orders")
        assert read["metadata"] == {"url": "https://acme.com/r"}
        assert post({"file": SimpleUploadedFile("Rück gabe.md", RETURNS), **fields}).status_code == 200
        path = f"documents/{document['id']}/file/"
        answer = get(path, Accept="text/markdown")
        assert b"".join(answer.streaming_content) == RETURNS
        assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''R%C3%BCck%20gabe.md")
        assert answer["Content-Type"] == "application/octet-stream"
        assert "sandbox" in answer["Content-Security-Policy"]
        assert get(path, cast.api_key(bolt)).status_code == 404
        assert get(path, cast.api_key(acme, "billing:read")).status_code == 403
        text = corpus.add(acme, title="Text", content="Only text.")
        assert get(f"documents/{text.pk}/file/").status_code == 404

    @pytest.mark.parametrize(
        ("fields", "status", "field"),
        [
            ({}, 400, "file"), ({"file": "text"}, 400, "file"),
            ({"file": SimpleUploadedFile("a.txt", b"")}, 400, "file"),
            ({"file": SimpleUploadedFile("a.exe", b"x")}, 415, None),
            ({"file": SimpleUploadedFile("a.txt", b"x"), "colour": "red"}, 400, "colour"),
            ({"file": SimpleUploadedFile("a.txt", b"x"), "title": "x" * 301}, 400, "title"),
            ({"file": SimpleUploadedFile("a.txt", b"x"), "metadata": "{"}, 400, "metadata"),
            ({"file": SimpleUploadedFile("a.txt", b"x"), "metadata": "[1]"}, 400, "metadata"),
            ({"file": SimpleUploadedFile("a.txt", b"x"), "metadata": '{"url": "javascript:x"}'}, 400, "metadata"),
        ],
    )  # fmt: skip
    def test_wrong_forms_are_refused_by_field(self, post, fields, status, field):
        response = post(fields)
        assert response.status_code == status, response.content
        assert [error["field"] for error in response.json()["errors"]] == ([field] if field else [])

    def test_a_broken_form_is_malformed(self, client, acme):
        response = client.generic(
            "POST", "/api/v1/documents/", b"--x\r\nnonsense", "multipart/form-data; boundary=y",
            headers={"Authorization": f"Bearer {cast.api_key(acme)}"},
        )  # fmt: skip
        assert response.status_code == 400


class TestDeleting:
    def test_files_go_with_the_document_after_thirty_days(self, acme, bolt, store):
        sent(bolt, "a.md", RETURNS)
        gone, kept = sent(acme, "a.md", RETURNS), sent(acme, "b.md", RETURNS)
        own = sent(acme, "c.md", b"A text of its own.")
        with acting_as(acme):
            for document in (gone, own):
                delete_document(document.pk)
        assert purging.purge_due() == 0
        with acting_as(acme):
            DueWork.objects.filter(kind=purging.WORK).update(due_at=now() - timedelta(seconds=1))
        tasks.purge_documents()
        with acting_as(acme):
            assert set(Document.objects.values_list("pk", flat=True)) == {kept.pk}
            assert StoredFile.objects.get().sha256 == hashlib.sha256(RETURNS).hexdigest()
            assert not DueWork.objects.filter(kind=purging.WORK).exists()
        assert sum(path.is_file() for path in store.rglob("*")) == 2
        with acting_as(bolt):
            assert StoredFile.objects.exists()

    def test_a_document_that_came_back_stays(self, acme):
        document = sent(acme, "a.md", RETURNS, external_id="r")
        with acting_as(acme):
            delete_document(document.pk)
            assert DueWork.objects.get(kind=purging.WORK).due_at > now() + timedelta(days=29)
        back = sent(acme, "a.md", RETURNS, external_id="r")
        assert (back.pk, back.status) == (document.pk, "ready")
        assert len(search.search(acme, "return a hub").results) == 1
        with acting_as(acme):
            assert not DueWork.objects.filter(kind=purging.WORK).exists()

    def test_files_of_old_versions_go(self, acme, store, monkeypatch):
        from knowledge import documents

        monkeypatch.setattr(documents, "KEPT_VERSIONS", 2)
        for number in range(5):
            sent(acme, "a.txt", f"Text number {number}.".encode(), external_id="r")
        with acting_as(acme):
            names = set(DocumentVersion.objects.values_list("file__sha256", flat=True))
        assert {path.name for path in store.rglob("*") if path.is_file()} == names
        assert len(names) == 2
