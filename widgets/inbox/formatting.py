"""What was answered, as the page of a conversation shows it: markdown as HTML."""

from typing import Any, Final

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

# Raw HTML is shown as text. No images: one from elsewhere would tell its server who reads this page, and when.
RENDERER: Final = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def as_html(text: str) -> SafeString:
    """`text` as HTML that can do nothing but look like something: its links are http, https or mailto, open apart, and
    tell nobody where they were followed from."""
    html: str = RENDERER.render(text)
    return mark_safe(html)  # noqa: S308 - raw HTML is off, and every text is escaped


def _guarded_link(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> Any:
    token = tokens[index]
    target = str(token.attrGet("href") or "")
    if not target.lower().startswith(("http://", "https://", "mailto:")):
        token.attrSet("href", "#")
    token.attrSet("rel", "noopener noreferrer nofollow")
    token.attrSet("target", "_blank")
    return renderer.renderToken(tokens, index, options, env)


RENDERER.add_render_rule("link_open", _guarded_link)
