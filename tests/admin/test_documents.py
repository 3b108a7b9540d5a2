"""Documents: the text form, upload and progress, retry, delete and restore, the search bench."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from kernel.clock import now
from kernel.errors import ProviderError
from knowledge.documents import delete_document
from knowledge.files.recognising import MAX_FILE
from knowledge.ingest import ingest
from knowledge.models import Document, DocumentStatus
from knowledge.purging import RESTORABLE
from tenants.context import acting_as
from tenants.permissions import Role
from tests import conversations
from tests.admin.rows import address


class TestDocuments:
    FORM = {"title": "Guide", "content": "# Guide\n\nPress the button.", "category": "help", "collection": "",
            "url": "https://acme.example/guide", "external_id": ""}  # fmt: skip

    def test_make_change_and_delete(self, acme, sign_in):
        client = sign_in(acme, Role.MEMBER)
        assert client.post("/admin/knowledge/document/add/", self.FORM).status_code == 302
        with acting_as(acme):
            document = Document.objects.get()
        assert (document.url, document.latest) == ("https://acme.example/guide", 1)
        path = address(Document, "change", document.pk)
        assert "Press the button." in client.get(path).content.decode()
        assert client.post(path, {**self.FORM, "content": "Press it twice."}).status_code == 302
        with acting_as(acme):
            assert Document.objects.get().latest == 2
        assert client.post(address(Document, "delete", document.pk), {"post": "yes"}).status_code == 302
        assert "No documents yet" in client.get(address(Document)).content.decode()

    def test_one_without_a_text_is_refused(self, acme, sign_in):
        response = sign_in(acme).post("/admin/knowledge/document/add/", {**self.FORM, "content": ""})
        assert list(response.context["adminform"].form.errors) == ["content"]

    def test_saving_without_a_change_is_no_new_version(self, acme, sign_in):
        client = sign_in(acme)
        client.post("/admin/knowledge/document/add/", self.FORM)
        with acting_as(acme):
            document = Document.objects.get()
        sent_by_a_browser = {**self.FORM, "content": self.FORM["content"].replace("\n", "\r\n")}
        assert client.post(address(Document, "change", document.pk), sent_by_a_browser).status_code == 302
        with acting_as(acme):
            assert Document.objects.get().latest == 1

    def test_delete_and_restore(self, acme, bolt, sign_in):
        client = sign_in(acme, Role.MEMBER)
        ours, theirs = (conversations.teach(tenant, "Guide", "Press the button.") for tenant in (acme, bolt))
        client.post(address(Document, "delete", ours.pk), {"post": "yes"})
        with acting_as(bolt):
            delete_document(theirs.pk)
        listed = client.get(address(Document) + "?deleted=yes").content.decode()
        assert str(ours.pk) in listed
        assert str(theirs.pk) not in listed
        page = client.get(address(Document, "change", ours.pk)).content.decode()
        assert "This document is deleted." in page
        assert client.post(address(Document, "change", ours.pk), self.FORM).status_code == 403
        assert client.post(f"{address(Document)}{theirs.pk}/do/restore/").status_code == 404
        client.post(f"{address(Document)}{ours.pk}/do/restore/")
        with acting_as(acme):
            assert not Document.objects.get().is_deleted
        with acting_as(bolt):
            assert Document.objects.get().is_deleted

    def test_one_deleted_long_ago_is_gone(self, acme, sign_in):
        client = sign_in(acme)
        document = conversations.teach(acme, "Guide", "Press the button.")
        with acting_as(acme):
            delete_document(document.pk)
            Document.objects.update(deleted_at=now() - RESTORABLE)
        assert "Guide" not in client.get(address(Document) + "?deleted=yes").content.decode()
        told = client.post(f"{address(Document)}{document.pk}/do/restore/", follow=True).content.decode()
        assert "could be restored" in told

    def test_a_failed_one_says_why_and_is_tried_again(self, acme, sign_in):
        client = sign_in(acme)
        document = conversations.teach(acme, "Guide", "Press the button.")
        with acting_as(acme):
            Document.objects.update(status=DocumentStatus.FAILED, error="the page is blank")
        assert "the page is blank" in client.get(address(Document, "change", document.pk)).content.decode()
        client.post(f"{address(Document)}{document.pk}/do/retry/")
        with acting_as(acme):
            assert Document.objects.get().status == DocumentStatus.PENDING

    @pytest.mark.parametrize("name", ["retry_chosen", "delete_chosen", "restore_chosen"])
    def test_an_action_reaches_ones_own_rows_only(self, acme, bolt, sign_in, name):
        client = sign_in(acme)
        ours, theirs = (conversations.teach(tenant, "Guide", "Press the button.") for tenant in (acme, bolt))
        for tenant in (acme, bolt):
            with acting_as(tenant):
                Document.objects.update(status=DocumentStatus.FAILED)
                if name == "restore_chosen":
                    delete_document(Document.objects.get().pk)
        before = state_of(bolt)
        form = {"action": name, "_selected_action": [str(ours.pk), str(theirs.pk)]}
        query = "?deleted=yes" if name == "restore_chosen" else ""
        told = client.post(address(Document) + query, form, follow=True).content.decode()
        assert "1 document" in told
        assert state_of(bolt) == before
        assert state_of(acme) != before


def state_of(tenant):
    with acting_as(tenant):
        document = Document.objects.get()
        return document.status, document.is_deleted


class TestUpload:
    PATH = "/admin/knowledge/document/upload/"

    def send(self, client, name="guide.md", content=b"# Guide\n\nPress the button.", **fields):
        return client.post(self.PATH, {"file": SimpleUploadedFile(name, content), **fields})

    def test_a_file_becomes_a_document_whose_progress_can_be_followed(self, acme, bolt, sign_in):
        client = sign_in(acme, Role.MEMBER)
        answer = self.send(client, category=" help ")
        assert answer.status_code == 201
        told = answer.json()
        assert (told["status"], told["percent"]) == ("pending", 0)
        theirs = conversations.teach(bolt, "Secret", "Words.")
        query = {"id": [told["id"], str(theirs.pk), "nonsense"]}
        (followed,) = client.get("/admin/knowledge/document/progress/", query).json()["documents"]
        assert followed["id"] == told["id"]
        with acting_as(acme) as tenant:
            document = Document.objects.get()
            assert document.category == "help"
        assert "guide.md" in client.get(address(Document, "change", document.pk)).content.decode()
        ingest(tenant, document.pk)
        (followed,) = client.get("/admin/knowledge/document/progress/", query).json()["documents"]
        assert (followed["status"], followed["percent"]) == ("ready", 100)

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("virus.exe", b"MZ"),
            ("empty.txt", b""),
            ("fake.pdf", b"no pdf"),
            ("large.txt", b"a" * (MAX_FILE + 1)),
        ],
        ids=["type", "empty", "fake", "large"],
    )
    def test_what_is_refused_says_why(self, acme, sign_in, name, content):
        answer = self.send(sign_in(acme), name, content)
        assert answer.status_code == 400
        assert len(answer.json()["problem"]) > 10
        with acting_as(acme):
            assert not Document.objects.exists()

    def test_without_a_file(self, acme, sign_in):
        assert sign_in(acme).post(self.PATH).json() == {"problem": "Choose a file."}


class TestBench:
    PATH = "/admin/search-bench/"

    def ask(self, client, question, **fields):
        response = client.post(self.PATH, {"question": question, **fields})
        assert response.status_code == 200
        return b"".join(response.streaming_content).decode()

    def test_it_shows_what_the_ai_would_see(self, acme, bolt, sign_in):
        ours = conversations.teach(
            acme, "Returns", "# Returns\n\nYou can return an item within 30 days.", category="a"
        )
        conversations.teach(
            bolt, "Bolt returns", "# Returns\n\nYou can return an item to Bolt within 3 days."
        )
        client = sign_in(acme, Role.MEMBER)
        assert "<option>a</option>" in client.get(self.PATH).content.decode()
        found = self.ask(client, "Within how many days can I return an item?")
        assert "The AI would answer." in found
        assert str(ours.pk) in found
        assert "Bolt" not in found
        assert "does not know" in self.ask(client, "Which dinosaur was the largest?")
        assert "Nothing found" in self.ask(client, "Within how many days can I return an item?", category="b")

    @pytest.mark.parametrize("question", ["", "  ", "x" * 2_001])
    def test_no_question_is_told_so(self, acme, sign_in, question):
        assert "must" in self.ask(sign_in(acme), question)

    def test_without_documents_it_says_what_to_do(self, acme, sign_in):
        assert "Nothing to search yet" in sign_in(acme).get(self.PATH).content.decode()

    def test_a_provider_that_fails_is_told_of(self, acme, sign_in, monkeypatch):
        def fails(*args, **kwargs):
            raise ProviderError("down", provider="x", retryable=True)

        client = sign_in(acme)
        monkeypatch.setattr("widgets.admin.bench.search", fails)
        assert "did not answer" in self.ask(client, "Anything?")
        monkeypatch.setattr("widgets.admin.bench.search", lambda *args, **kwargs: 1 / 0)
        assert "went wrong on our side" in self.ask(client, "Anything?")
