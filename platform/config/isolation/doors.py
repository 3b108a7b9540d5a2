"""Every way in from outside, found and not listed: URLs with their methods, socket frames, tasks, admin pages."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from django.contrib.admin import AdminSite
from django.urls import URLPattern, URLResolver, get_resolver

from config.admin_site import site
from config.celery import app
from widgets.chat import protocol


@dataclass(frozen=True, slots=True)
class Door:
    """One URL pattern and the methods it takes (empty: those of an ordinary page)."""

    route: str
    methods: tuple[str, ...]


def urls() -> list[Door]:
    """Every URL pattern of the product outside the admin."""
    return [door for door in _walk(get_resolver().url_patterns, "") if not door.route.startswith("admin/")]


def admin_pages() -> list[str]:
    """Every URL pattern of the admin."""
    return [door.route for door in _walk(get_resolver().url_patterns, "") if door.route.startswith("admin/")]


def admin_models(admin: AdminSite = site) -> list[str]:
    """Every model that has pages in the admin, as app.model."""
    return sorted(model._meta.label_lower for model in admin._registry)


def tasks() -> list[str]:
    """Every Celery task of ours."""
    app.loader.import_default_modules()
    return sorted(name for name in app.tasks if not name.startswith("celery."))


def frames() -> list[str]:
    """The types of every frame that a visitor's socket takes."""
    return sorted(get_args(frame.model_fields["type"].annotation)[0] for frame in protocol.CLIENT_FRAMES)


def _walk(patterns: list[Any], prefix: str) -> Iterator[Door]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            view: Any = getattr(pattern.callback, "cls", None) or getattr(
                pattern.callback, "view_class", None
            )
            methods = tuple(
                name.upper()
                for name in getattr(view, "http_method_names", ())
                if name != "options" and hasattr(view, name)
            )
            yield Door(route, methods)
