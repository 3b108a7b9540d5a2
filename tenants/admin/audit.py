"""The pages of the record: who changed what, when and from where."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from tenants.administration import RecordAdmin, moment, words
from tenants.administration.differences import difference, names_of
from tenants.administration.filters import Choice
from tenants.auditing.entries import ActorKinds
from tenants.auditing.kinds import kind_of
from tenants.models import AuditEntry

KIND: dict[str, str] = dict(ActorKinds.choices)


class WhoFilter(Choice):
    """People, keys, the platform's staff or the system."""

    title = "who"
    parameter_name = "who"
    choices_ = tuple((kind.value, kind.label) for kind in ActorKinds)

    def narrowed(self, rows: "QuerySet[Any]", value: str) -> "QuerySet[Any]":
        return rows.filter(actor_kind=value)


class WhenFilter(Choice):
    """How long ago."""

    title = "when"
    parameter_name = "when"
    choices_ = (("1", "in the last day"), ("7", "in the last 7 days"), ("30", "in the last 30 days"))

    def narrowed(self, rows: "QuerySet[Any]", value: str) -> "QuerySet[Any]":
        return rows.filter(at__gte=timezone.now() - timedelta(days=int(value)))


class _Found(admin.SimpleListFilter):
    """The values of a column that the tenant's own record has."""

    column: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        values = AuditEntry.objects.order_by(self.column).values_list(self.column, flat=True).distinct()
        return [(value, words(value)) for value in values]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        value = self.value()
        return queryset.filter(**{self.column: value}) if value and "\0" not in value else queryset


class WhatFilter(_Found):
    """What was done."""

    title = parameter_name = "action"
    column = "action"


class WhichFilter(_Found):
    """To what kind of thing."""

    title = "thing"
    parameter_name = "thing"
    column = "target_kind"


@admin.register(AuditEntry)
class AuditEntryAdmin(RecordAdmin):
    """The record. It only grows: not even an owner can change it."""

    called = ("audit entry", "audit entries")
    list_display = ("time", "who", "did", "what", "changed", "origin")
    list_filter = (WhoFilter, WhatFilter, WhichFilter, WhenFilter)
    search_fields = ("actor_text", "target_text", "action", "=target_id", "=actor_id")
    search_help_text = "Person, key, thing, action or id"
    ordering = ("-id",)
    fields = (("time", "origin"), ("who", "who_kind"), ("did", "what"), "difference")
    readonly_fields = ("time", "who", "who_kind", "did", "what", "origin", "difference")
    empty_state = "What people, keys and the platform's staff change stands here, and nobody can change that."

    @display(description="time", ordering="id")
    def time(self, entry: AuditEntry) -> SafeString | str:
        return moment(entry.at)

    @display(description="who")
    def who(self, entry: AuditEntry) -> SafeString | str:
        name = entry.actor_text or KIND.get(entry.actor_kind, entry.actor_kind).capitalize()
        if entry.actor_kind == ActorKinds.STAFF:
            return format_html('{} <span class="fd-tag">{}</span>', name, "platform staff")
        return name

    @display(description="who that is")
    def who_kind(self, entry: AuditEntry) -> str:
        return KIND.get(entry.actor_kind, entry.actor_kind)

    @display(description="did")
    def did(self, entry: AuditEntry) -> str:
        return words(entry.action)

    @display(description="what")
    def what(self, entry: AuditEntry) -> SafeString | str:
        kind = words(entry.target_kind)
        name = entry.target_text or (f"…{entry.target_id[-6:]}" if entry.target_id else "")
        address = self._address_of(entry)
        if not address:
            return f"{kind} {name}"
        return format_html('{} <a class="fd-link" href="{}">{}</a>', kind, address, name)

    @display(description="changed")
    def changed(self, entry: AuditEntry) -> str:
        return names_of(entry.before, entry.after)

    @display(description="from")
    def origin(self, entry: AuditEntry) -> str:
        return entry.ip or "no address"

    @display(description="difference")
    def difference(self, entry: AuditEntry) -> SafeString | str:
        return difference(entry.before, entry.after)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))

    def _address_of(self, entry: AuditEntry) -> str:
        """The page of the thing, where things of its kind have one; it may be gone since."""
        for model in self.admin_site._registry:
            if kind_of(model) == entry.target_kind and entry.target_id:
                return reverse(
                    f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[entry.target_id]
                )
        return ""
