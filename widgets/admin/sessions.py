"""The pages of conversations: a list to find one in, and its transcript with what a person may do about it."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display

from kernel.errors import InvalidInput
from tenants.administration import RecordAdmin, dollars, facts, moment, person, safely
from tenants.administration.filters import Choice
from tenants.context import require_tenant
from tenants.models import User
from widgets.chat.protocol import MAX_CONTENT
from widgets.erasing.visitors import begin, send_erasure
from widgets.inbox import replying, taking_over
from widgets.inbox.transcript import transcript
from widgets.models import Message, Session, SessionStatus

ABSTAINED: Final = "abstained"
SEES_COSTS: Final = "billing.view_costevent"
MAY_ERASE: Final = "tenants.add_erasurereceipt"


class UnansweredFilter(Choice):
    """Conversations in which the AI did not know."""

    title = "unanswered"
    parameter_name = "unanswered"
    choices_ = (("yes", "with an unanswered question"), ("no", "all answered"))

    def narrowed(self, rows: "QuerySet[Any]", value: str) -> "QuerySet[Any]":
        return rows.filter(left_open=value == "yes")


class AssigneeFilter(Choice):
    """Whose conversations."""

    title = "assignee"
    parameter_name = "assignee"
    choices_ = (("me", "me"), ("nobody", "nobody"))

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        if self.value() == "me":
            return queryset.filter(assignee=person(request))
        return queryset.filter(assignee=None) if self.value() == "nobody" else queryset


@admin.register(Session)
class SessionAdmin(RecordAdmin):
    """Conversations, read as a transcript beside what they cost."""

    list_display = ("visitor_name", "state", "unanswered", "widget", "said", "cost", "last")
    list_display_links = ("visitor_name",)
    list_filter = (
        "status", UnansweredFilter, AssigneeFilter, ("widget", admin.RelatedOnlyFieldListFilter),
    )  # fmt: skip
    list_select_related = ("visitor", "widget")
    search_fields = ("visitor__name", "visitor__email", "visitor__external_id", "tags")
    search_help_text = "Visitor's name, email or id"
    ordering = ("-created_at", "-id")
    fields = ()
    change_form_template = "admin/widgets/session/transcript.html"
    empty_state = "Conversations appear here with a visitor's first question. Paste a widget's snippet first."
    empty_action = ("Go to the widgets", "admin:widgets_widget_changelist")

    def get_urls(self) -> list[URLPattern]:
        deed = self.admin_site.admin_view(self.deed)
        return [
            path("<path:object_id>/do/<slug:name>/", deed, name="widgets_session_do"),
            path(
                "<path:object_id>/erase-visitor/",
                self.admin_site.admin_view(self.erase_visitor),
                name="widgets_session_erase_visitor",
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Session]":
        abstentions = Message.objects.filter(session=OuterRef("pk"), metadata__event=ABSTAINED)
        rows: QuerySet[Session] = super().get_queryset(request).annotate(left_open=Exists(abstentions))
        return rows

    def get_list_display(self, request: HttpRequest) -> Any:
        """What a conversation cost is for those who may see money."""
        sees_costs = request.user.has_perm(SEES_COSTS)
        return [name for name in super().get_list_display(request) if name != "cost" or sees_costs]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        session: Session = self.the(request, object_id)
        sees_costs = request.user.has_perm(SEES_COSTS)
        extra = {
            "title": str(session.visitor or "Conversation"),
            "transcript": transcript(session.pk, str(session.visitor or "Visitor"), with_costs=sees_costs),
            "cost": dollars(session.cost_usd) if sees_costs else None,
            "attributes": facts(session.visitor.attributes) if session.visitor else None,
            "is_theirs": not person(request).is_platform_staff,
            "is_mine": session.assignee_id == person(request).pk,
            "colleagues": User.objects.filter(is_active=True).order_by("name", "email")
            if session.is_open
            else (),
            "longest": MAX_CONTENT,
            "may_erase": request.user.has_perm(MAY_ERASE) and session.visitor_id is not None,
        }
        response: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **extra}
        )
        return response

    @method_decorator(require_POST)
    def deed(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """What a button of the transcript does; whoever may read a conversation may look after it."""
        # The platform's staff look and do not speak for a company: what is said has an author among its people.
        if not self.has_view_permission(request) or person(request).is_platform_staff:
            raise PermissionDenied
        session: Session = self.the(request, object_id)
        deeds = _deeds(request, session)
        if name not in deeds:
            raise Http404
        done, deed = deeds[name]
        safely(request, deed, done)
        return HttpResponseRedirect(f"{self.address('change', session.pk)}#end")

    @method_decorator(require_POST)
    def erase_visitor(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Erase whoever spoke here, with all their conversations; then to the receipt."""
        if not request.user.has_perm(MAY_ERASE):
            raise PermissionDenied
        session: Session = self.the(request, object_id)
        if session.visitor_id is None:
            raise Http404
        receipt = begin(session.visitor_id, f"user:{person(request).pk}")
        # It waits for answers to stop, which no page's transaction may.
        transaction.on_commit(partial(send_erasure, require_tenant(), receipt.pk))
        messages.success(request, "The visitor is being erased. This is the receipt.")
        return HttpResponseRedirect(reverse("admin:tenants_erasurereceipt_change", args=[receipt.pk]))

    @display(description="visitor", ordering="visitor__name")
    def visitor_name(self, session: Session) -> str:
        return str(session.visitor or "Visitor")

    @display(description="answers", label={"unanswered": "warning"})
    def unanswered(self, session: Session) -> str | None:
        return "unanswered" if session.left_open else None  # type: ignore[attr-defined]  # get_queryset's annotation

    @display(description="messages", ordering="last_seq")
    def said(self, session: Session) -> int:
        return session.last_seq

    @display(description="cost", ordering="cost_usd")
    def cost(self, session: Session) -> str:
        return dollars(session.cost_usd)

    @display(description="last message", ordering="last_message_at")
    def last(self, session: Session) -> SafeString | str:
        return moment(session.last_message_at)

    @display(
        description="state",
        ordering="status",
        label={
            SessionStatus.AI.label: "info",
            SessionStatus.WAITING.label: "warning",
            SessionStatus.HUMAN.label: "success",
        },
    )
    def state(self, session: Session) -> str:
        return session.get_status_display()


def _deeds(request: HttpRequest, session: Session) -> dict[str, tuple[str, Callable[[], Any]]]:
    """Each deed by its name in the address: what to say when it is done, and the deed."""
    me, post = person(request), request.POST
    return {
        "take-over": ("You have this conversation.", lambda: taking_over.take_over(session.pk, me)),
        "reply": ("Your reply is sent.", lambda: replying.reply(session.pk, me, post.get("content", ""))),
        "release": ("The AI answers again.", lambda: taking_over.release(session.pk, by=me)),
        "end": ("The conversation has ended.", lambda: taking_over.end(session.pk, by=me)),
        "assign": ("Assigned.", lambda: _assign(session, post.get("assignee", ""), me)),
    }


def _assign(session: Session, chosen: str, me: User) -> None:
    try:
        assignee = taking_over.colleague(uuid.UUID(chosen)) if chosen else None
    except ValueError as error:
        raise InvalidInput.of("assignee", "must be one of your team") from error
    taking_over.assign(session.pk, assignee, by=me)
