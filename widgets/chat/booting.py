"""Boot: what the panel asks once per connection. It writes no row: a visitor gets one with the first message."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, TypedDict

from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from kernel.errors import FieldError, FrontdeskError, InvalidInput, NotFound
from tenants.context import TenantRef, acting_as
from tenants.directory import resolve_tenant
from tenants.models import KeyKind
from widgets import settings as widget_settings
from widgets.chat import beginning, capping, guarding, messages, origins, visiting
from widgets.chat.messages import MessageObject
from widgets.chat.protocol import SessionState, session_state
from widgets.chat.proving import BootProof
from widgets.chat.visiting import Guest
from widgets.models import Personality, Session, Widget
from widgets.settings import Look

MESSAGES_AT_BOOT: Final = 50
# What of a widget's settings its visitors may see; the rest is the tenant's own.
VISITOR_SETTINGS: Final = (
    "theme", "position", "greeting", "primaryColor", "secondaryColor", "launcherLabel", "starterQuestions", "locale",
    "offlineMessage", "collectEmail", "privacyUrl",
)  # fmt: skip


class WidgetNotFound(NotFound):
    """No such widget, or it is not active."""

    code = "widget_not_found"


class OriginNotAllowed(FrontdeskError):
    """The page's Origin is not on the widget's whitelist."""

    code = "origin_not_allowed"


class BootRequest(BaseModel):
    """The body of a boot."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    widget: Annotated[StrictStr, Field(min_length=1, max_length=80)]
    visitor_token: Annotated[StrictStr, Field(max_length=1_000)] | None = None
    identity: Annotated[StrictStr, Field(max_length=8_000)] | None = None
    proof: BootProof | None = None


class BootPersonality(TypedDict):
    """Whom the visitor talks to."""

    name: str


class BootWidget(TypedDict):
    """The widget as the panel shows it."""

    name: str
    settings: Annotated[dict[str, Any], Look]
    personality: BootPersonality | None


class BootResponse(TypedDict):
    """Everything the panel needs to connect and to show what was said. `read_seq` is how far the visitor has read in
    the session, 0 without one."""

    visitor_token: str
    socket_url: str
    session: SessionState | None
    read_seq: int
    widget: BootWidget
    messages: list[MessageObject]


@dataclass(frozen=True, slots=True)
class Welcome:
    """What one transaction knows of a visitor who arrives."""

    guest: Guest
    widget: Widget
    personality: str
    session: Session | None
    messages: list[MessageObject]


def parse(body: bytes) -> BootRequest:
    """The body of a boot. Raises InvalidInput naming each wrong field."""
    try:
        return BootRequest.model_validate_json(body)
    except ValidationError as problem:
        errors = [
            FieldError(".".join(str(part) for part in error["loc"]) or "body", error["msg"])
            for error in problem.errors(include_url=False, include_context=False)
        ]
        raise InvalidInput("the boot request is not valid", errors=errors) from problem


def boot(request: BootRequest, origin: str | None, address: str = "") -> BootResponse:
    """Let a visitor in who asks from `address`. Raises WidgetNotFound, OriginNotAllowed, IdentityInvalid, TooManyBoots,
    ProofRequired, checked in this order."""
    tenant = resolve_tenant(KeyKind.WIDGET, request.widget)
    if tenant is None:
        raise WidgetNotFound("there is no such widget")
    with acting_as(tenant):
        welcome = _welcome(tenant, request, origin)
    is_known = welcome.guest.identity is not None or welcome.session is not None
    guarding.let_in(tenant, welcome.widget, address, request.proof, is_known=is_known)
    # The ticket is made outside the transaction: Redis may be slow, and no transaction waits for it.
    ticket = visiting.issue_ticket(welcome.guest, origin or "")
    visiting.remember_identity(welcome.guest)
    session = welcome.session
    shown = widget_settings.complete(welcome.widget.settings)
    return {
        "visitor_token": visiting.issue_token(welcome.guest),
        "socket_url": f"{settings.BASE_URL.replace('http', 'ws', 1)}/ws/v1/chat?ticket={ticket}",
        "session": session_state(session.pk, session.status, session.last_seq) if session else None,
        "read_seq": session.read_seq if session else 0,
        "widget": {
            "name": welcome.widget.name,
            "settings": {key: shown[key] for key in VISITOR_SETTINGS},
            "personality": {"name": welcome.personality},
        },
        "messages": welcome.messages,
    }


def active_widget(origin: str | None, **which: object) -> Widget:
    """The acting tenant's active widget with its terms, for a page at `origin`. Raises WidgetNotFound,
    OriginNotAllowed."""
    known = Widget.objects.select_related("personality").filter(is_active=True, **which)
    widget = capping.with_terms(known).first()
    if widget is None:
        raise WidgetNotFound("there is no such widget")
    if not origins.allows(widget, origin):
        raise OriginNotAllowed("this website is not on the widget's list of domains")
    return widget


def _welcome(tenant: TenantRef, request: BootRequest, origin: str | None) -> Welcome:
    widget = active_widget(origin, public_key=request.widget)
    identity = visiting.verify_identity(request.identity, widget) if request.identity else None
    if identity is None and widget.require_identity:
        raise visiting.IdentityInvalid("identity: this widget is for signed-in visitors only")
    guest = None if identity else visiting.read_token(request.visitor_token, tenant, widget.pk)
    guest = guest or visiting.new_guest(tenant, widget, identity)
    session = beginning.resumable_session(guest)
    if session is None and beginning.is_erased(guest.visitor_id):
        guest = visiting.new_guest(tenant, widget, identity)
    said = messages.last(session.pk, MESSAGES_AT_BOOT) if session else []
    personality = widget.personality or Personality.objects.filter(is_default=True).first()
    return Welcome(guest, widget, personality.name if personality else widget.name, session, said)
