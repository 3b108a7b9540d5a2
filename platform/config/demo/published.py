"""What the demo pages show."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from config.demo import corpus, credentials
from config.demo.companies import COMPANIES, Company


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """A document on the page; `html` is made from our own corpus, with raw HTML switched off."""

    anchor: str
    title: str
    html: SafeString


def site(slug: str) -> dict[str, Any] | None:
    """One company's page, or None where the demo or the company is not there."""
    company = next((company for company in COMPANIES if company.slug == slug), None)
    login = next(
        (login for login in credentials.kept(settings.FRONTDESK_HOME) if login["slug"] == slug), None
    )
    if company is None or login is None:
        return None
    return {
        "slug": company.slug,
        "name": company.name,
        "headline": company.headline,
        "pitch": company.pitch,
        "questions": company.questions,
        "documents": _documents(company.corpus),
        "widget_key": login["widget_key"],
        "base_url": settings.BASE_URL,
    }


def sites() -> list[Company]:
    """Every company of the demo."""
    return list(COMPANIES)


@cache
def _documents(directory: Path) -> list[ShownDocument]:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return [
        ShownDocument(document.name, document.title, mark_safe(markdown.render(document.content)))  # noqa: S308 - html is off
        for document in corpus.read(directory)
    ]
