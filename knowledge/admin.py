"""The admin's pages of documents."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, UnfoldAdminURLInputWidget

from knowledge.documents import change_document, delete_document, save_document
from knowledge.models import Document, DocumentStatus
from tenants.administration import DeedForm, TenantAdmin


class DocumentForm(DeedForm):
    """A document and its text."""

    content = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 20}),
        strip=False,
        help_text="Markdown, HTML or plain text. Headings help: answers cite the section they rest on.",
    )
    url = forms.CharField(
        label="Address",
        required=False,
        max_length=2000,
        widget=UnfoldAdminURLInputWidget,
        help_text="Where readers find it; citations link there.",
    )
    external_id = forms.CharField(
        required=False,
        max_length=500,
        empty_value=None,
        widget=UnfoldAdminTextInputWidget,
        help_text="Your own id for it, if you have one: sending it again through the API updates this document.",
    )

    class Meta:
        model = Document
        fields = ("title", "content", "category", "collection", "url", "external_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_new:
            newest = self.instance.versions.filter(number=self.instance.latest).first()
            self.initial.setdefault("content", newest.content if newest else "")
            self.initial.setdefault("url", self.instance.url)

    def deed(self) -> Document:
        asked = dict(self.cleaned_data)
        metadata = {key: value for key, value in (self.instance.metadata or {}).items() if key != "url"}
        url = asked.pop("url")
        asked["metadata"] = {**metadata, "url": url} if url else metadata
        if self.is_new:
            return save_document(**asked).document
        return change_document(self.instance.pk, **asked).document


@admin.register(Document)
class DocumentAdmin(TenantAdmin):
    """What the AI may answer from, and how far its processing is."""

    form = DocumentForm
    list_display = ("title", "state", "done", "category", "collection", "updated_at")
    list_filter = ("status", "category", "collection")
    search_fields = ("title", "external_id")
    readonly_fields = ("state", "done", "problem", "versions_kept")
    empty_state = (
        "The AI answers from these and nothing else. Add your first document, or send many through the API."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        return super().get_queryset(request).filter(deleted_at=None).defer("embedding")  # type: ignore[no-any-return]  # unfold ships no types

    def get_fieldsets(self, request: HttpRequest, obj: Document | None = None) -> Any:
        text = (None, {"fields": ("title", "content")})
        place = ("Where it belongs", {"fields": (("category", "collection"), "url", "external_id")})
        if obj is None:
            return [text, place]
        shown = (
            ("state", "done", "problem", "versions_kept") if obj.error else ("state", "done", "versions_kept")
        )
        return [("Processing", {"fields": shown}), text, place]

    def delete_model(self, request: HttpRequest, obj: Document) -> None:
        delete_document(obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A deleted document can be restored, so nothing goes with it."""
        return [str(document) for document in objs], {"documents": len(objs)}, set(), []

    @display(
        description="status",
        ordering="status",
        label={
            DocumentStatus.PENDING.label: "info",
            DocumentStatus.PROCESSING.label: "info",
            DocumentStatus.READY.label: "success",
            DocumentStatus.FAILED.label: "danger",
        },
    )
    def state(self, document: Document) -> str:
        return document.get_status_display()

    @display(description="progress", ordering="progress")
    def done(self, document: Document) -> SafeString:
        share = round(document.progress * 100)
        return format_html(
            '<span class="fd-nowrap">'
            '<progress class="fd-progress" max="100" value="{0}">{0} %</progress> {0}&nbsp;%</span>',
            share,
        )

    @display(description="what went wrong")
    def problem(self, document: Document) -> str:
        return document.error

    @display(description="version")
    def versions_kept(self, document: Document) -> str:
        if document.version == document.latest:
            return f"{document.latest}, which search finds"
        found = f"search still finds {document.version}" if document.version else "search finds none yet"
        return f"{document.latest}; {found}"
