"""The model without a model: what it quotes, how it says so, and what it costs."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ai.chat import ChatRequest, Completed, Passage, TextDelta, chat_model, estimate_usage
from ai.chat.extracting import MAIN_BUDGET, SECOND_BUDGET, extract
from ai.chat.offline import answer
from ai.chat.words import language_of, stems
from tests.ai.asking import REQUEST, ask

HOURS = Passage("We are open from nine to five on weekdays.\n\nOn Sundays we are closed.", "Opening hours")
PLANS = Passage(
    "## Plans\n\nEvery plan has a limit on seats:\n\n"
    "| Plan | Seats | Price |\n| --- | --- | --- |\n| Starter | 3 | 10 dollars |\n| Business | 50 | 99 dollars |\n\n"
    "Invoices are sent by email.",
    "Plans and prices",
    "https://acme.test/plans",
    "Plans",
)
RETURNS = Passage(
    "You can send anything back within 30 days.\n\nTo return an item:\n\n"
    "1. Print the label.\n2. Pack the item.\n3. Bring it to the post office.",
    "Returns",
)


def asked(question: str, *passages: Passage) -> str:
    return answer(question, passages)


def test_it_names_the_document_and_quotes_it() -> None:
    assert asked("Are you open on Sundays?", HOURS) == (
        "From *Opening hours*:\n\n> We are open from nine to five on weekdays.\n>\n> …\n>\n> On Sundays we are closed."
    )


def test_a_table_is_quoted_whole_with_its_lead_in() -> None:
    said = asked("How many seats does the Business plan have?", PLANS, HOURS)
    assert (
        "> Every plan has a limit on seats:\n>\n> | Plan | Seats | Price |\n> | --- | --- | --- |\n" in said
    )
    assert "> | Business | 50 | 99 dollars |" in said
    assert "Sundays" not in said


def test_a_list_is_quoted_whole() -> None:
    said = asked("How do I return an item?", RETURNS)
    assert "> 1. Print the label.\n> 2. Pack the item.\n> 3. Bring it to the post office." in said


def test_a_second_passage_is_quoted_for_what_the_first_does_not_cover() -> None:
    said = asked(
        "What are the opening hours, and how many days do I have to send an item back?", HOURS, RETURNS
    )
    assert "From *Opening hours*:\n\n> We are open" in said
    assert "From *Returns*:\n\n> You can send anything back within 30 days." in said


def test_two_quotations_of_one_document_are_announced_once() -> None:
    more = Passage("Refunds of returned items take 5 days.", "Returns")
    said = asked("How long do refunds take, and how do I print the label?", RETURNS, more)
    assert said.count("From *Returns*:") == 1
    assert "Refunds of returned items" in said


@pytest.mark.parametrize(
    ("question", "opening"),
    [
        ("Wann habt ihr auf und wie ist der Preis?", "Aus *Opening hours*:"),
        ("Quand est-ce que vous êtes ouverts ?", "D\u2019après *Opening hours* :"),
        ("¿Cuándo está abierto el domingo?", "De *Opening hours*:"),
        ("営業時間", "*Opening hours*:"),
        ("weekdays", "*Opening hours*:"),
    ],
)
def test_it_speaks_the_language_of_the_question(question: str, opening: str) -> None:
    assert asked(question, HOURS).startswith(f"{opening}\n\n> We are open")


def test_japanese_is_found_without_spaces() -> None:
    one = Passage("料金は月額千円です。", "料金")
    other = Passage("営業時間は九時から五時までです。\n\n日曜日は休みです。", "案内")
    assert "日曜日は休みです。" in asked("日曜日は開いていますか", one, other)


def test_inflected_words_are_found() -> None:
    about = Passage(
        "Your files are encrypted with AES.\n\nWe bake bread.\n\nBread is baked daily.", "Security"
    )
    assert "encrypted with AES" in asked("Do you support encryption?", about)


def test_markdown_in_a_title_stays_text() -> None:
    assert asked("open?", replace(HOURS, title="*Hi* [x](javascript:y)\n")).startswith(
        "*\\*Hi\\* \\[x\\](javascript:y)*:"
    )


def test_a_passage_without_title_or_shared_words_is_still_quoted() -> None:
    assert asked("Quux?", Passage("Some text.", "")) == "> Some text."


def test_a_long_paragraph_is_cut_at_sentences_around_the_answer() -> None:
    filler = "Nothing of interest is said in this sentence at all. " * 30
    long = Passage(f"{filler}The password policy asks for twelve. {filler}", "Long")
    said = asked("What is the password policy?", long)
    quote = said.split("\n\n")[1].removeprefix("> ")
    assert "The password policy asks for twelve." in quote
    assert len(quote) <= MAIN_BUDGET
    assert quote.startswith("Nothing of interest")
    assert quote.endswith(".")


def test_a_long_table_keeps_its_header_and_the_row_asked_for() -> None:
    rows = "\n".join(f"| item{i} | {i * 7} dollars a month |" for i in range(100))
    said = asked("What does item77 cost?", Passage(f"| Item | Price |\n| --- | --- |\n{rows}", "Prices"))
    assert "> | Item | Price |\n> | --- | --- |\n" in said
    assert "> | item77 | 539 dollars a month |" in said
    assert len(said) < MAIN_BUDGET + 200


def test_a_wall_of_characters_is_cut() -> None:
    [quotation] = extract("x", [Passage("x" * 5000, "Wall")])
    assert quotation.parts == ("x" * MAIN_BUDGET,)


async def test_it_streams_in_small_pieces_and_costs_estimated_tokens() -> None:
    request = replace(REQUEST, question="How many seats and what price?", passages=(PLANS, RETURNS))
    events = [event async for event in chat_model("offline").stream(request)]
    *deltas, completed = events
    texts = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
    assert "".join(texts) == answer(request.question, request.passages)
    assert len(texts) == len(deltas) >= 3
    assert max(map(len, texts)) <= 90
    assert completed == Completed("stop", estimate_usage(request, "".join(texts)), "extractive")


@pytest.mark.parametrize("passages", [(), (Passage(" \n", "Empty"),)])
async def test_without_passages_it_is_the_callers_mistake(passages: tuple[Passage, ...]) -> None:
    with pytest.raises(ValueError, match="at least one passage"):
        await ask(chat_model("offline"), ChatRequest((), "Hello?", passages))


_TEXT = st.text(max_size=400) | st.lists(
    st.sampled_from(["# H", "a b c.", "- open item", "| open | b |", "```", "", "1. one", "word " * 60]),
    max_size=30,
).map("\n".join)


@given(
    question=st.text(max_size=60) | st.just("Are you open?"), contents=st.lists(_TEXT, min_size=1, max_size=7)
)
def test_every_quotation_is_verbatim_and_within_its_budget(question: str, contents: list[str]) -> None:
    passages = [Passage(content, f"Title {number}") for number, content in enumerate(contents)]
    assume(any(content.strip() for content in contents))
    quotations = extract(question, passages)
    assert len(quotations) <= 2
    for quotation, budget in zip(quotations, (MAIN_BUDGET, SECOND_BUDGET), strict=False):
        assert sum(map(len, quotation.parts)) <= budget
        assert all(part in quotation.passage.content for part in quotation.parts)


def test_words() -> None:
    assert stems("How do I encrypt it?") == stems("encrypted") == stems("encryption")
    assert stems("Öffnungszeiten") == stems("offnungszeit")
    assert language_of("When are you open?") == "en"
    assert language_of("12345") is None
