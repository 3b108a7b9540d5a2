"""Which passages an answer rests on, and the words of each that support it, verbatim."""

import re
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

from widgets.chat.messages import Citation

MARKER: Final = re.compile(r"\[(\d{1,2})\]")
WORD: Final = re.compile(r"\w{3,}")
SENTENCE: Final = re.compile(r"[^\n.!?]*[^\n.!?\s][^\n.!?]*(?:[.!?]+(?=\s|$))?")
QUOTED: Final = re.compile(r"^>(.*)$", re.MULTILINE)
SHORTEST_QUOTED: Final = 20
LONGEST_QUOTE: Final = 300
# An unmarked answer rests on a passage when this share of the answer's words stands in it: half, so that the odd
# common word is no support. Chosen by reason, not measured.
SHARE_OF_ANSWER: Final = 0.5
MOST_UNMARKED: Final = 3


class Source(Protocol):
    """A search hit, as far as a citation needs it."""

    @property
    def document_id(self) -> UUID: ...
    @property
    def chunk_id(self) -> UUID: ...
    @property
    def title(self) -> str: ...
    @property
    def url(self) -> str | None: ...
    @property
    def content(self) -> str: ...


def cite(answer: str, sources: Sequence[Source]) -> list[Citation]:
    """The citations of an answer, best first; empty when nothing supports it.

    Sources that the answer marks as [n], in the order of their first mark; where it marks none, those it quotes; where
    it quotes none, those that hold most of its words.
    """
    marked = [int(number) for number in MARKER.findall(answer)]
    chosen = [sources[number - 1] for number in dict.fromkeys(marked) if 1 <= number <= len(sources)]
    said = words(answer)
    if not chosen:
        lines = [
            line for line in (part.strip() for part in QUOTED.findall(answer)) if len(line) >= SHORTEST_QUOTED
        ]
        chosen = [source for source in sources if any(line in source.content for line in lines)]
    if not chosen:
        shared = sorted(
            (
                (len(said & words(source.content)) / max(1, len(said)), -place)
                for place, source in enumerate(sources)
            ),
            reverse=True,
        )
        chosen = [sources[-place] for share, place in shared[:MOST_UNMARKED] if share >= SHARE_OF_ANSWER]
    return [_citation(source, said) for source in chosen]


def quote(content: str, said: frozenset[str]) -> str:
    """The sentence or line of `content` that shares most words with what was said; a verbatim part of it."""
    spans = [match.group().strip() for match in SENTENCE.finditer(content)] or [content.strip()]
    best = max(spans, key=lambda span: (len(said & words(span)), -len(span)))
    return best[:LONGEST_QUOTE].rstrip()


def words(text: str) -> frozenset[str]:
    """The words of three letters or more, in lower case."""
    return frozenset(WORD.findall(text.lower()))


def _citation(source: Source, said: frozenset[str]) -> Citation:
    return {
        "document_id": str(source.document_id),
        "chunk_id": str(source.chunk_id),
        "title": source.title,
        "url": source.url,
        "quote": quote(source.content, said),
    }
