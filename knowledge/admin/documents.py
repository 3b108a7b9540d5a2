"""The pages of documents: what the AI may answer from, and how far its processing is."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, UnfoldAdminURLInputWidget

from kernel.clock import now
from kernel.errors import FrontdeskError
from knowledge.admin.states import STATES
from knowledge.admin.uploads import progress, upload_page
from knowledge.documents import change_document, delete_document, retry_document, save_document
from knowledge.models import Document, DocumentStatus, DocumentVersion
from knowledge.purging import RESTORABLE
from knowledge.restoring import restore_document
from tenants.administration import DeedForm, TenantAdmin, moment, plural, safely
from tenants.administration.filters import Choice


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
            # A file that no worker has read yet has no text to be asked for.
            self.fields["content"].required = bool(newest and newest.content)
            self.initial.setdefault("url", self.instance.url)

    def clean_content(self) -> str:
        """Browsers send CR LF for every line end; that alone is no new version."""
        return str(self.cleaned_data["content"]).replace("\r\n", "\n")

    def deed(self) -> Document:
        asked = dict(self.cleaned_data)
        if not asked["content"]:
            del asked["content"]
        metadata = {key: value for key, value in (self.instance.metadata or {}).items() if key != "url"}
        url = asked.pop("url")
        asked["metadata"] = {**metadata, "url": url} if url else metadata
        if self.is_new:
            return save_document(**asked).document
        return change_document(self.instance.pk, **asked).document


class DeletedFilter(Choice):
    """The list without what is deleted, or only that, for as long as it can be restored."""

    title = "deleted"
    parameter_name = "deleted"
    choices_ = (("yes", f"deleted in the last {RESTORABLE.days} days"),)

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        if self.value() == "yes":
            return queryset.filter(deleted_at__gt=now() - RESTORABLE)
        return queryset.filter(deleted_at=None)


@admin.register(Document)
class DocumentAdmin(TenantAdmin):
    """Documents: a list with their progress, a text form, upload, retry, delete and restore."""

    form = DocumentForm
    list_display = ("title", "state", "category_name", "collection_name", "changed")
    list_filter = ("status", "category", "collection", DeletedFilter)
    search_fields = ("title", "external_id")
    search_help_text = "Title or your own id"
    readonly_fields = ("state", "problem", "versions_kept", "file", "deleted")
    change_list_template = "admin/knowledge/document/list.html"
    change_form_template = "admin/knowledge/document/editor.html"
    actions = ("retry_chosen", "delete_chosen", "restore_chosen")
    empty_state = (
        "The AI answers from these and nothing else. Upload files, write your first document here, or send many "
        "through the API."
    )
    empty_action = ("Upload documents", "admin:knowledge_document_upload")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("upload/", view(self.upload), name="knowledge_document_upload"),
            path("progress/", view(progress), name="knowledge_document_progress"),
            path("<path:object_id>/do/<slug:name>/", view(self.deed), name="knowledge_document_do"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Document]":
        return super().get_queryset(request).defer("embedding")  # type: ignore[no-any-return]  # unfold ships no types

    def get_actions(self, request: HttpRequest) -> Any:
        """Django's own deletion of many is left out: it would delete rows, where ours keeps them for a while."""
        return {
            name: told for name, told in super().get_actions(request).items() if name != "delete_selected"
        }

    def get_fieldsets(self, request: HttpRequest, obj: Document | None = None) -> Any:
        text = (None, {"fields": ("title", "content")})
        place = ("Where it belongs", {"fields": ("category", "collection", "url", "external_id")})
        if obj is None:
            return [text, place]
        shown = [
            "state",
            *(["problem"] if obj.error else []),
            "versions_kept",
            *(["file"] if self._newest(obj).file_id else []),
            *(["deleted"] if obj.deleted_at else []),
        ]
        return [("Processing", {"fields": shown}), text, place]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not _is_deleted(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not _is_deleted(obj) and super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: Document) -> None:
        delete_document(obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A deleted document can be restored, so nothing goes with it."""
        return [str(document) for document in objs], {"documents": len(objs)}, set(), []

    def upload(self, request: HttpRequest) -> HttpResponse:
        """The page to drop files on."""
        return upload_page(request, self.admin_site.each_context(request))

    @method_decorator(require_POST)
    def deed(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """What a button of the document's page does."""
        if not super().has_change_permission(request):
            raise PermissionDenied
        document: Document = self.the(request, object_id)
        if name == "retry":
            safely(request, lambda: retry_document(document.pk), "It is processed again.")
        elif name == "restore":
            safely(request, lambda: restore_document(document.pk), "It is back and is being processed.")
        return HttpResponseRedirect(self.address("change", document.pk))

    @action(description="Process again", permissions=["change"])
    def retry_chosen(self, request: HttpRequest, queryset: "QuerySet[Document]") -> None:
        failed = queryset.filter(status=DocumentStatus.FAILED, deleted_at=None)
        self._each(request, failed, retry_document, "{} processed again; only failed ones are.")

    @action(description="Delete", permissions=["delete"])
    def delete_chosen(self, request: HttpRequest, queryset: "QuerySet[Document]") -> None:
        told = "{} deleted. They can be restored for " + f"{RESTORABLE.days} days."
        self._each(request, queryset.filter(deleted_at=None), delete_document, told)

    @action(description="Restore", permissions=["change"])
    def restore_chosen(self, request: HttpRequest, queryset: "QuerySet[Document]") -> None:
        self._each(request, queryset.exclude(deleted_at=None), restore_document, "{} restored.")

    def _each(
        self, request: HttpRequest, rows: "QuerySet[Document]", deed: Callable[[Any], Any], told: str
    ) -> None:
        done = 0
        for identifier in list(rows.values_list("pk", flat=True)):
            try:
                deed(identifier)
                done += 1
            except FrontdeskError as error:
                self.message_user(request, error.detail, level="error")
        self.message_user(request, told.format(plural(done, "document")))

    @display(description="status", ordering="status")
    def state(self, document: Document) -> SafeString:
        if document.is_deleted:
            return format_html('<span class="fd-tag fd-bad">{}</span>', "deleted")
        percent = round(document.progress * 100)
        if document.status in (DocumentStatus.READY, DocumentStatus.FAILED):
            is_good = document.status == DocumentStatus.READY
            tone = "fd-good" if is_good else "fd-bad"
            return format_html(
                '<span class="fd-tag {}" title="{}">{}</span>', tone, document.error, STATES[document.status]
            )
        return format_html(
            '<span class="fd-nowrap" data-document="{}"><progress class="fd-progress" max="100" value="{}">{} %'
            "</progress> <span>{}</span></span>",
            document.pk,
            percent,
            percent,
            STATES[document.status],
        )

    @display(description="category", ordering="category")
    def category_name(self, document: Document) -> str:
        return document.category or "none"

    @display(description="collection", ordering="collection")
    def collection_name(self, document: Document) -> str:
        return document.collection or "none"

    @display(description="changed", ordering="updated_at")
    def changed(self, document: Document) -> SafeString | str:
        return moment(document.updated_at)

    @display(description="deleted")
    def deleted(self, document: Document) -> SafeString | str:
        return moment(document.deleted_at)

    @display(description="what went wrong")
    def problem(self, document: Document) -> str:
        return document.error

    @display(description="file")
    def file(self, document: Document) -> SafeString:
        address = f"/api/v1/documents/{document.pk}/file/"
        return format_html('<a class="fd-link" href="{}">{}</a>', address, self._newest(document).file_name)

    @staticmethod
    def _newest(document: Document) -> DocumentVersion:
        """The newest version, looked up once for a page."""
        if not hasattr(document, "_newest_version"):
            document._newest_version = document.newest  # type: ignore[attr-defined]  # only for this page
        newest: DocumentVersion = document._newest_version  # type: ignore[attr-defined]  # set above
        return newest

    @display(description="version")
    def versions_kept(self, document: Document) -> str:
        if document.version == document.latest:
            return f"{document.latest}, which search finds"
        found = f"search still finds {document.version}" if document.version else "search finds none yet"
        return f"{document.latest}; {found}"


def _is_deleted(row: Model | None) -> bool:
    return isinstance(row, Document) and row.is_deleted
