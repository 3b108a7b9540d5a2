"""What changed, as a table that people can read."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from tenants.administration.wording import told, words

ABSENT: Final = object()


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> SafeString | str:
    """One line for each value, the parts of an object apart and only those that differ; beside each other where there
    is a before and an after."""
    if before is None or after is None:
        return _table(("What", "Value"), _values(before if after is None else after))
    return _table(("What", "Before", "After"), _changes(before, after))


def names_of(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """What changed, in a line: `name, settings`. Of what is new or gone, nothing."""
    return ", ".join(words(name) for name in after) if before is not None and after is not None else ""


def _changes(
    before: Mapping[str, Any], after: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, str, str]]:
    for name in (*before, *(name for name in after if name not in before)):
        was, becomes = before.get(name, ABSENT), after.get(name, ABSENT)
        called = f"{path}{words(name)}"
        if isinstance(was, Mapping) and isinstance(becomes, Mapping):
            yield from _changes(was, becomes, f"{called}: ")
        elif was != becomes or was == becomes == "•••":
            yield called, _told(was), _told(becomes)


def _values(values: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    yield from ((words(name), _told(value)) for name, value in (values or {}).items())


def _told(value: Any) -> str:
    return "" if value is ABSENT else told(value)


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> SafeString | str:
    body = [
        format_html(
            '<tr><th scope="row">{}</th>{}</tr>',
            row[0],
            format_html_join("", "<td>{}</td>", ((c,) for c in row[1:])),
        )
        for row in rows
    ]
    if not body:
        return "nothing but that it was done"
    return format_html(
        '<table class="fd-table fd-difference"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        format_html_join("", '<th scope="col">{}</th>', ((head,) for head in heads)),
        format_html_join("", "{}", ((row,) for row in body)),
    )
