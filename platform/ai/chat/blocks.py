"""The blocks of a passage: paragraphs, and whole lists, tables and code listings with the sentence that leads in."""

import re
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["paragraph", "list", "table", "code"]

_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_ITEM = re.compile(r"\s*(?:\\?[-*+\u2022\u2013]|\(?\d{1,3}[.)]|[a-z][.)])\s+\S")
# After a full stop, closing quotes and brackets; the full-width ones of Chinese and Japanese need no space.
_SENTENCE_END = re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019)\]]*\s+|(?<=[\u3002\uff01\uff1f])")
_COLONS = (":", "\uff1a")


@dataclass(frozen=True, slots=True)
class Block:
    """`text` is verbatim from the passage. `heading` is the nearest one above. `fixed` counts the lines at the start
    that a part of the block must keep to be understood: the lead-in, a table's header. `position` is its place."""

    kind: Kind
    text: str
    heading: str = ""
    fixed: int = 0
    position: int = 0


def blocks(content: str) -> list[Block]:
    """`content` (markdown or plain text) in blocks, in order. Headings are left out, everything else is in one."""
    lines = content.split("\n")
    found: list[tuple[Kind, int, int, str]] = []
    heading = ""
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
        elif title := _HEADING.match(lines[at]):
            heading = title[1]
            at += 1
        else:
            kind, end = _extent(lines, at)
            found.append((kind, at, end, heading))
            at = end
    return _joined(lines, found)


def sentences(text: str) -> list[str]:
    """`text` in sentences, each with the space after it, so that joined they are `text`."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    starts = [0, *ends]
    return [part for start, end in zip(starts, [*ends, len(text)], strict=True) if (part := text[start:end])]


def _extent(lines: list[str], start: int) -> tuple[Kind, int]:
    """What begins on line `start`, and the line after its end."""
    if fence := _FENCE.match(lines[start]):
        for at in range(start + 1, len(lines)):
            if lines[at].strip().startswith(fence[1]):
                return "code", at + 1
        return "code", len(lines)
    if _is_row(lines[start]):
        at = start
        while at < len(lines) and _is_row(lines[at]):
            at += 1
        return "table", at
    if _ITEM.match(lines[start]):
        return "list", _end_of_list(lines, start)
    at = start + 1
    while at < len(lines) and lines[at].strip() and not _begins_another(lines[at]):
        at += 1
    return "paragraph", at


def _end_of_list(lines: list[str], start: int) -> int:
    """A blank line ends a list unless another item, or an indented line, follows it."""
    end = at = start + 1
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
            continue
        after_blank = not lines[at - 1].strip()
        if _HEADING.match(line) or (
            after_blank and not _ITEM.match(line) and not line.startswith((" ", "\t"))
        ):
            break
        at += 1
        end = at
    return end


def _begins_another(line: str) -> bool:
    return bool(_FENCE.match(line) or _HEADING.match(line) or _ITEM.match(line) or _is_row(line))


def _is_row(line: str) -> bool:
    return line.lstrip().startswith("|") or line.count("|") >= 2


def _joined(lines: list[str], found: list[tuple[Kind, int, int, str]]) -> list[Block]:
    """The blocks, each list, table or listing together with the line that announces it by a colon."""
    made: list[Block] = []
    first_line = 0
    for kind, start, end, heading in found:
        fixed = 2 if kind == "table" else 0
        lead = made[-1] if made else None
        if lead and kind != "paragraph" and lead.heading == heading and _leads_in(lead):
            text = "\n".join(lines[first_line:end])
            made[-1] = replace(lead, kind=kind, text=text, fixed=start - first_line + fixed)
        else:
            made.append(Block(kind, "\n".join(lines[start:end]), heading, fixed, len(made)))
            first_line = start
    return made


def _leads_in(block: Block) -> bool:
    return block.kind == "paragraph" and block.text.rstrip().endswith(_COLONS)
