"""The pages of exports: archives of all that a tenant has."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display

from kernel.errors import NotFound
from tenants.administration import DeedForm, TenantAdmin, caller_in_words, for_request, moment, person
from tenants.exporting.api import download
from tenants.exporting.models import UNDER_WAY, ExportStatus
from tenants.exporting.ordering import KEPT, delete_export, order_export, take_archive
from tenants.models import Export

SHOWN = ("state", "held", "archive", "by", "ordered", "gone")
LABELS = {
    ExportStatus.PENDING.label: "info",
    ExportStatus.RUNNING.label: "info",
    ExportStatus.READY.label: "success",
    ExportStatus.FAILED.label: "danger",
}


class ExportForm(DeedForm):
    """An order; there is nothing to choose."""

    class Meta:
        model = Export
        fields = ()

    def deed(self) -> Export:
        return order_export(f"user:{person(self.request).pk}")


@admin.register(Export)
class ExportAdmin(TenantAdmin):
    """Archives: ordered, watched while they are made, fetched, deleted."""

    called = ("export", "exports")
    list_display = ("ordered", "state", "held", "by", "gone")
    list_display_links = ("ordered",)
    ordering = ("-id",)
    empty_state = (
        "An export is an archive of all that you have here: documents and their files, conversations, costs, settings. "
        "Passwords, secrets and keys are not in it."
    )

    def get_urls(self) -> list[URLPattern]:
        taking = path(
            "<path:object_id>/file/", self.admin_site.admin_view(self.take), name="tenants_export_file"
        )
        return [taking, *super().get_urls()]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it is made, taken and deleted

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        idle = obj is None or obj.status not in UNDER_WAY
        return idle and super().has_delete_permission(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **{**kwargs, "form": for_request(ExportForm, request)})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        words = (
            "Save, and everything that you have here is written to an archive, as it is at that moment. It takes from "
            f"seconds to some minutes, and is kept for {KEPT.days} days."
        )
        return [(None, {"fields": SHOWN if obj else (), "description": None if obj else words})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return SHOWN

    def delete_model(self, request: HttpRequest, obj: Export) -> None:
        delete_export(obj.pk)

    @method_decorator(require_POST)
    def take(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Download the archive; by POST, because who took it is recorded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            return download(take_archive(self.the(request, object_id).pk))
        except NotFound as error:
            raise Http404 from error

    @display(description="ordered", ordering="created_at")
    def ordered(self, export: Export) -> SafeString | str:
        return moment(export.created_at)

    @display(description="state", label=LABELS)
    def state(self, export: Export) -> str:
        return str(ExportStatus(export.status).label)

    @display(description="holds")
    def held(self, export: Export) -> SafeString | str:
        if export.status == ExportStatus.RUNNING:
            return format_html(
                '<progress class="fd-progress" max="1" value="{0}" aria-label="Progress"></progress> {1} %',
                f"{export.progress:.2f}",
                round(export.progress * 100),
            )
        if export.rows is None:
            return export.error
        return f"{export.rows:,} rows, {export.files:,} files, {filesizeformat(export.size or 0)}"

    @display(description="archive")
    def archive(self, export: Export) -> SafeString | str:
        if export.status != ExportStatus.READY:
            return (
                "not ready: reload this page in a moment" if export.status in UNDER_WAY else "there is none"
            )
        return format_html(
            '<button class="fd-button" type="submit" formaction="{}" formmethod="post">Download</button>',
            reverse("admin:tenants_export_file", args=[export.pk]),
        )

    @display(description="by")
    def by(self, export: Export) -> str:
        return caller_in_words(export.requested_by)

    @display(description="deleted", ordering="expires_at")
    def gone(self, export: Export) -> SafeString | str:
        return moment(export.expires_at, never="")
