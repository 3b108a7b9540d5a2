"""Markdown as a sequence of blocks: the parts a splitter would rather not cut.

One pass over the lines, no recursion and no backtracking, so that ten megabytes of anything take linear time. It reads
what help pages use (ATX and setext headings, fences, pipe tables, lists, paragraphs), not the whole of CommonMark.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

MAX_HEADING = 200
LIST_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
TABLE_RULE = re.compile(r"[ \t]*[|:-][-| :\t]*$")
WIDE_GAP = re.compile(r"[ \t]{2,}")


class Kind(Enum):
    HEADING = "heading"
    FENCE = "fence"
    TABLE = "table"
    LIST = "list"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Block:
    """One block with its markdown. A heading's `text` is its words alone, and `level` is 1 to 6."""

    kind: Kind
    text: str
    level: int = 0


def read(text: str) -> Iterator[Block]:
    """The blocks of `text` in order. Every line that is not blank is in exactly one of them."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
            continue
        kind, end = _extent(lines, at)
        if kind is Kind.HEADING:
            level, words = _heading(lines, at, end)
            if words:
                yield Block(kind, words, level)
        elif kind is Kind.TABLE:
            yield Block(kind, "\n".join(WIDE_GAP.sub(" ", row).strip() for row in lines[at:end]))
        else:
            yield Block(kind, "\n".join(lines[at:end]).rstrip())
        at = end


def _extent(lines: list[str], at: int) -> tuple[Kind, int]:
    """What begins at line `at`, and the line after its end."""
    line = lines[at]
    if fence_mark(line):
        return Kind.FENCE, _after_fence(lines, at)
    if _is_heading(line):
        return Kind.HEADING, at + 1
    if _starts_table(lines, at):
        return Kind.TABLE, _after_table(lines, at)
    if LIST_ITEM.match(line):
        return Kind.LIST, _after_list(lines, at)
    if at + 1 < len(lines) and _underline(lines[at + 1]) and len(line) <= MAX_HEADING:
        return Kind.HEADING, at + 2
    end = at + 1
    while end < len(lines) and lines[end].strip() and not _interrupts(lines, end):
        end += 1
    return Kind.TEXT, end


def fence_mark(line: str) -> str:
    """The run of backticks or tildes that opens or closes a code fence on this line, or nothing."""
    start = line.lstrip()
    if not start.startswith(("```", "~~~")):
        return ""
    return start[: len(start) - len(start.lstrip(start[0]))]


def _after_fence(lines: list[str], at: int) -> int:
    mark = fence_mark(lines[at])
    for end in range(at + 1, len(lines)):
        closing = lines[end].strip()
        if len(closing) >= len(mark) and closing == mark[0] * len(closing):
            return end + 1
    return len(lines)


def _is_heading(line: str) -> bool:
    start = line.lstrip(" ")
    marks = len(start) - len(start.lstrip("#"))
    return 1 <= marks <= 6 and len(line) <= MAX_HEADING and (len(start) == marks or start[marks] in " \t")


def _underline(line: str) -> int:
    """1 for a setext underline of =, 2 for one of -, else 0."""
    marks = line.strip()
    if len(marks) < 2 or line.startswith("    "):
        return 0
    return 1 if marks == "=" * len(marks) else 2 if marks == "-" * len(marks) else 0


def _heading(lines: list[str], at: int, end: int) -> tuple[int, str]:
    if end - at == 2:
        return _underline(lines[at + 1]), lines[at].strip()
    start = lines[at].strip()
    level = len(start) - len(start.lstrip("#"))
    return level, start[level:].rstrip("#").strip(" \t*")


def _starts_table(lines: list[str], at: int) -> bool:
    if "|" not in lines[at] or at + 1 >= len(lines):
        return False
    rule = lines[at + 1]
    return "|" in rule and "-" in rule and TABLE_RULE.match(rule) is not None


def _after_table(lines: list[str], at: int) -> int:
    end = at + 2
    while end < len(lines) and "|" in lines[end]:
        end += 1
    return end


def _after_list(lines: list[str], at: int) -> int:
    end = at + 1
    while end < len(lines):
        line = lines[end]
        if fence_mark(line) and line.startswith((" ", "\t")):
            end = _after_fence(lines, end)
        elif not line.strip():
            following = end + 1
            while following < len(lines) and not lines[following].strip():
                following += 1
            if following == len(lines) or not _belongs_to_list(lines[following]):
                return end
            end = following
        elif _is_heading(line) or fence_mark(line) or _starts_table(lines, end):
            return end
        else:
            end += 1
    return end


def _belongs_to_list(line: str) -> bool:
    return line.startswith(("  ", "\t")) or LIST_ITEM.match(line) is not None


def _interrupts(lines: list[str], at: int) -> bool:
    line = lines[at]
    return bool(fence_mark(line) or _is_heading(line) or LIST_ITEM.match(line) or _starts_table(lines, at))
