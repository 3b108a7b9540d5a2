"""Choosing what to quote: the blocks of the best passages that share the rarest words with the question."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ai.chat.blocks import Block, blocks, sentences
from ai.chat.seam import Passage
from ai.chat.words import stems

MAIN_BUDGET = 900
SECOND_BUDGET = 450
CONSIDERED = 6
# A later passage is the main one only when it covers clearly more: the search knows better than word overlap.
RANK_DISCOUNT = 0.3
# Another block of the main passage is quoted when it is worth this share of the best one. A second passage is quoted
# when it covers this share of the question that the first did not, or is worth this share of the first. Tried on the
# aws documents with BM25 alone, where the fact was in the first passage for 61 % of the questions and in the first two
# for 83 %: it was in the answer for 73 %, with one passage for 63 %.
WORTH_QUOTING = 0.15
WORTH_ADDING = 0.2
WORTH_COMPARING = 0.6
HEADING_SHARE = 0.5
NUMBER_BONUS = 1.15
# Lists of links point to answers; they hold none.
LINKS_SHARE = 0.5

_ASKS_NUMBER = re.compile(
    r"\b(how (many|much|long|often|old|big|large|far)|when|what (year|date|time)|maximum|minimum|limit"
    r"|wie ?viele?|wann|combien|quand|cuánt\w+|cuándo)\b",
    re.I,
)
_LINK = re.compile(r"\[[^\]]*\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Quotation:
    """Verbatim parts of one passage, in their order there."""

    passage: Passage
    parts: tuple[str, ...]


def extract(question: str, passages: Sequence[Passage]) -> list[Quotation]:
    """One or two quotations that answer `question` as well as word overlap can tell, best first: at most about 900
    characters of one passage and 450 of another. `passages` is best first. Raises ValueError where all are blank."""
    written = [passage for passage in passages if passage.content.strip()]
    if not written:
        raise ValueError("there must be at least one passage that is not blank")
    candidates = [_Candidate(rank, passage) for rank, passage in enumerate(written[:CONSIDERED])]
    weights = _weights(question, candidates)
    total = sum(weights.values())
    bonus = bool(_ASKS_NUMBER.search(question))

    def worth(terms: frozenset[str]) -> float:
        return sum(weights.get(term, 0.0) for term in terms)

    main = max(candidates, key=lambda c: worth(c.terms) - RANK_DISCOUNT * total * c.rank)
    quoted = [_quote(main, worth, MAIN_BUDGET, bonus)]
    covered = frozenset(stems("\n".join(quoted[0].parts))) | main.title_terms
    missing = {term: weight for term, weight in weights.items() if term not in covered}

    def gain(terms: frozenset[str]) -> float:
        return sum(missing.get(term, 0.0) for term in terms)

    others = [candidate for candidate in candidates if candidate is not main]
    if total and others:
        second = max(others, key=lambda c: (gain(c.terms), -c.rank))
        if gain(second.terms) >= WORTH_ADDING * total:
            quoted.append(_quote(second, gain, SECOND_BUDGET, bonus))
        else:
            second = max(others, key=lambda c: worth(c.terms) - RANK_DISCOUNT * total * c.rank)
            if worth(second.terms) >= WORTH_COMPARING * worth(main.terms):
                quoted.append(_quote(second, worth, SECOND_BUDGET, bonus))
    return quoted


class _Candidate:
    """A passage with its blocks and their words."""

    def __init__(self, rank: int, passage: Passage) -> None:
        self.rank = rank
        self.passage = passage
        # A passage of nothing but headings is quoted as it is.
        self.blocks = blocks(passage.content) or [Block("paragraph", passage.content.strip())]
        self.title_terms = frozenset(stems(f"{passage.title} {passage.heading}"))
        self.block_terms = [frozenset(stems(block.text)) for block in self.blocks]
        self.heading_terms = [frozenset(stems(block.heading)) for block in self.blocks]
        self.terms = self.title_terms.union(*self.block_terms, *self.heading_terms)


def _weights(question: str, candidates: Sequence[_Candidate]) -> dict[str, float]:
    """Inverse document frequency (as in BM25) of the question's words, the blocks at hand being the documents."""
    documents = [
        terms | heading | candidate.title_terms
        for candidate in candidates
        for terms, heading in zip(candidate.block_terms, candidate.heading_terms, strict=True)
    ]
    frequency = Counter(term for terms in documents for term in terms)
    return {
        term: math.log(1 + (len(documents) - frequency[term] + 0.5) / (frequency[term] + 0.5))
        for term in set(stems(question))
        if frequency[term]
    }


def _quote(
    candidate: _Candidate, worth: Callable[[frozenset[str]], float], budget: int, prefer_numbers: bool
) -> Quotation:
    scores = [
        (worth(terms) + HEADING_SHARE * worth(heading - terms)) * _suits(block, prefer_numbers)
        for block, terms, heading in zip(
            candidate.blocks, candidate.block_terms, candidate.heading_terms, strict=True
        )
    ]
    best_first = sorted(candidate.blocks, key=lambda block: -scores[block.position])
    best = best_first[0]
    chosen = {best.position: best.text if len(best.text) <= budget else _part(best, worth, budget)}
    left = budget - len(chosen[best.position])
    for block in best_first[1:]:
        if scores[block.position] >= WORTH_QUOTING * scores[best.position] and len(block.text) <= left:
            chosen[block.position] = block.text
            left -= len(block.text)
    return Quotation(candidate.passage, tuple(chosen[position] for position in sorted(chosen)))


def _suits(block: Block, prefer_numbers: bool) -> float:
    """How much the kind of the block speaks for it or against."""
    factor = NUMBER_BONUS if prefer_numbers and any(map(str.isdigit, block.text)) else 1.0
    links = sum(len(link[0]) for link in _LINK.finditer(block.text))
    return factor * (LINKS_SHARE if links > len(block.text) / 2 else 1.0)


def _part(block: Block, worth: Callable[[frozenset[str]], float], budget: int) -> str:
    """The run of sentences (of rows, items or lines in a list, table or listing) that fits and is worth the most,
    after the lines that it needs to be understood. Never longer than `budget`, never empty."""
    if block.kind == "paragraph":
        head, units = "", sentences(block.text)
    else:
        lines = block.text.splitlines(keepends=True)
        head, units = "".join(lines[: block.fixed]), lines[block.fixed :]
        if len(head) > budget // 2:
            head, units = "", lines
    room = budget - len(head)
    terms = [frozenset(stems(unit)) for unit in units]
    best, best_worth = (0, 0), -1.0
    for start in range(len(units)):
        length, seen = 0, frozenset[str]()
        for end in range(start, len(units)):
            length += len(units[end].rstrip())
            if length > room:
                break
            length += len(units[end]) - len(units[end].rstrip())
            seen |= terms[end]
            if worth(seen) > best_worth or (worth(seen) == best_worth and start == best[0]):
                best, best_worth = (start, end + 1), worth(seen)
    if best_worth < 0:  # one unit alone is too long
        return block.text[:budget].rsplit(maxsplit=1)[0]
    return (head + "".join(units[slice(*best)])).rstrip()
