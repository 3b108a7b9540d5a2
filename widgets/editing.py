"""Making, changing and deleting widgets."""

import secrets
import uuid
from collections.abc import Sequence
from typing import Any, Final

from kernel.errors import Conflict, InvalidInput, NotFound
from tenants.context import require_tenant
from tenants.directory import claim, release
from tenants.models import KeyKind, Tenant
from widgets import settings as widget_settings
from widgets import whitelist
from widgets.models import Personality, Session, Visitor, Widget

KEY_PREFIX: Final = "pk_"
KEY_BYTES: Final = 18


def create_widget(
    name: str,
    *,
    domain_whitelist: Sequence[str] = (),
    settings: dict[str, Any] | None = None,
    personality_id: uuid.UUID | None = None,
    collections: Sequence[str] = (),
    require_identity: bool = False,
    is_active: bool = True,
) -> Widget:
    """A new widget of the acting tenant, with a public key of its own that leads to the tenant.

    Raises InvalidInput for a website, setting or personality that is not one. With no website it can be shown nowhere.
    """
    widget = Widget(public_key=KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES))
    _apply(
        widget,
        name=name,
        domain_whitelist=domain_whitelist,
        settings=settings or {},
        personality_id=personality_id,
        collections=collections,
        require_identity=require_identity,
        is_active=is_active,
    )
    claim(KeyKind.WIDGET, widget.public_key)
    widget.save(force_insert=True)
    return widget


def update_widget(widget_id: uuid.UUID, **changes: Any) -> Widget:
    """The widget with `changes` (create_widget's names). Settings are merged key by key, a null resets one.

    Raises NotFound, or InvalidInput as create_widget does.
    """
    widget = _locked(widget_id)
    _apply(widget, **changes)
    widget.save()
    return widget


def delete_widget(widget_id: uuid.UUID) -> None:
    """Delete a widget that nobody has talked to, and free its key.

    Raises NotFound, or Conflict where there are conversations: they would go with it, so it is deactivated instead.
    """
    widget = _locked(widget_id)
    if Visitor.objects.filter(widget=widget).exists() or Session.objects.filter(widget=widget).exists():
        raise Conflict(
            f"{widget.name} has conversations; deactivate it (is_active: false) to take it off every page.",
            code="widget_in_use",
        )
    release(KeyKind.WIDGET, widget.public_key)
    widget.delete()


def refuse_outside(domains: Sequence[str]) -> None:
    """Raise InvalidInput naming `allowed_domains` unless the websites of all widgets lie inside `domains` (none: all
    domains are allowed)."""
    if not domains:
        return
    for name, websites in Widget.objects.order_by("id").values_list("name", "domain_whitelist"):
        try:
            whitelist.checked(websites, inside=domains)
        except InvalidInput as error:
            raise InvalidInput.of(
                "allowed_domains", f"{name} is shown on a website outside these; change its websites first"
            ) from error


def _locked(widget_id: uuid.UUID) -> Widget:
    # The lock also holds back a first visitor, whose row needs this one to stay.
    widget = Widget.objects.select_for_update().filter(pk=widget_id).first()
    if widget is None:
        raise NotFound(f"There is no widget {widget_id}.")
    return widget


def _apply(widget: Widget, **changes: Any) -> None:
    if "domain_whitelist" in changes:
        widget.domain_whitelist = whitelist.checked(
            changes.pop("domain_whitelist"), inside=_allowed_domains()
        )
    if "settings" in changes:
        widget.settings = widget_settings.merged(widget.settings, changes.pop("settings"))
    if "personality_id" in changes:
        widget.personality_id = _known_personality(changes.pop("personality_id"))
    if "collections" in changes:
        widget.collections = list(dict.fromkeys(changes.pop("collections")))
    for field in ("name", "require_identity", "is_active"):
        if field in changes:
            setattr(widget, field, changes.pop(field))
    if changes:
        raise TypeError(f"a widget has no {', '.join(changes)}")


def _allowed_domains() -> list[str]:
    settings = Tenant.objects.values_list("settings", flat=True).get(pk=require_tenant().id)
    return [str(domain).lower() for domain in settings.get("allowedDomains") or ()]


def _known_personality(identifier: uuid.UUID | None) -> uuid.UUID | None:
    if identifier is not None and not Personality.objects.filter(pk=identifier).exists():
        raise InvalidInput.of("personality", "must be the id of one of your personalities, or null")
    return identifier
