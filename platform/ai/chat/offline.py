"""The model that works without a model: it quotes the best passages, and says whose they are. It calls nobody.

Measured (measured.md section 5): extracted sentences alone held the fact in 61 % of questions on product documents,
so it shows whole paragraphs, lists and tables, as quotations and not as its own words.
"""

import re
from collections.abc import AsyncGenerator, Sequence

from ai.chat.estimating import estimate_usage
from ai.chat.extracting import Quotation, extract
from ai.chat.seam import ChatEvent, ChatRequest, Completed, Passage, TextDelta
from ai.chat.words import language_of

PROVIDER = "offline"
MODEL = "extractive"

FROM = {"en": "From *{}*:", "de": "Aus *{}*:", "fr": "D\u2019après *{}* :", "es": "De *{}*:"}
FROM_ANYWHERE = "*{}*:"

# About sixty characters, up to the end of a word; words longer than twenty more are cut.
_PIECE = re.compile(r".{1,60}\S{0,20}\s*", re.S)
_SPECIAL = re.compile(r"([\\`*_\[\]<>~|])")


class OfflineChat:
    """Answers with quotations from `request.passages`; the rest of the prompt is not used."""

    provider = PROVIDER
    model = MODEL
    own_key = False

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """See ChatModel. Raises ValueError where every passage is blank, or there is none: then there is nothing to
        quote, and the caller abstains without asking a model."""
        text = answer(request.question, request.passages)
        for piece in _PIECE.findall(text):
            yield TextDelta(piece)
        yield Completed("stop", estimate_usage(request, text), MODEL)


def answer(question: str, passages: Sequence[Passage]) -> str:
    """The answer as markdown: for each quotation a line naming its document, in the question's language where that is
    known, and the passage's own words in a block quote."""
    language = language_of(question)
    lead_in = FROM_ANYWHERE if language is None else FROM[language]
    written: list[str] = []
    last_title = None
    for quotation in extract(question, passages):
        title = _title(quotation.passage)
        if title and title != last_title:
            written.append(lead_in.format(title))
        written.append(_block_quote(quotation))
        last_title = title
    return "\n\n".join(written)


def _title(passage: Passage) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(passage.title.split()) or " ".join(passage.heading.split()))


def _block_quote(quotation: Quotation) -> str:
    """The parts as one block quote, an ellipsis between them where there are several."""
    lines = "\n\n…\n\n".join(quotation.parts).split("\n")
    return "\n".join(f"> {line}" if line else ">" for line in lines)
