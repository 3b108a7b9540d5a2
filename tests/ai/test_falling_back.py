"""Several models for one answer: who is asked when, what is said, and what is paid."""

from typing import Any

import pytest

from ai.chat import answering_model, attempts_of, chat_model, models_of, only
from ai.chat.breaking import FAILURES, OPEN_S, Circuit
from ai.chat.choosing import circuit
from ai.chat.falling_back import Candidate, FallingBack
from ai.chat.scripted import Script, ScriptedChat, scripting
from ai.configuration import Configuration
from ai.failures import Attempt, PaidFailure
from ai.usage import Usage
from kernel.errors import InvalidInput, ProviderError
from tests.ai.asking import REQUEST, ask, ask_in_vain, configured
from tests.ai.stub_provider import Stub

CODES = ("rate_limited", "unavailable", "timeout", "stalled", "cut", "bad_response", "unauthorized")
SPENT = Attempt("anthropic", "thinker", Usage(90, 10))


def failure(code: str = "unavailable", *, retryable: bool = True) -> ProviderError:
    return ProviderError(f"it is {code}", provider="p", retryable=retryable, code=code)


def candidates(*names: str) -> FallingBack:
    return FallingBack([Candidate(ScriptedChat(name), Circuit()) for name in names])


@pytest.mark.parametrize("code", CODES)
async def test_the_next_model_answers_where_one_fails_before_its_first_word(code: str) -> None:
    with (
        scripting("one", Script(error=failure(code, retryable=False), error_at=0)) as one,
        scripting("two", Script(deltas=("Hi.",), provider="anthropic", model="claude-2")),
        scripting("three", Script()) as three,
    ):
        model = candidates("one", "two", "three")
        assert (model.provider, model.model) == ("scripted", "one")
        text, completed = await ask(model)
    assert (text, completed.model, completed.failed) == ("Hi.", "claude-2", ())
    assert (model.provider, model.model) == ("anthropic", "claude-2")
    assert (len(one.requests), three.requests) == (1, [])


async def test_nobody_else_is_asked_after_the_first_word() -> None:
    with (
        scripting("one", Script(deltas=("Half ", "of it."), error=failure("cut"), error_at=1)),
        scripting("two", Script()) as two,
    ):
        model = candidates("one", "two")
        text, error = await ask_in_vain(model)
    assert (text, error.code, two.requests, model.model) == ("Half ", "cut", [], "one")


async def test_what_one_model_refuses_no_other_is_asked() -> None:
    with (
        scripting("one", Script(error=failure("refused", retryable=False), error_at=0)),
        scripting("two", Script()) as two,
    ):
        _, error = await ask_in_vain(candidates("one", "two"))
    assert (error.code, two.requests) == ("refused", [])


async def test_the_last_failure_is_the_answer_and_paid_attempts_are_kept() -> None:
    paid = PaidFailure(failure("bad_response"), [SPENT])
    last = failure("timeout")
    with (
        scripting("one", Script(error=paid, error_at=0)),
        scripting("two", Script(error=last, error_at=0)),
        scripting("three", Script(deltas=("Hi.",))),
    ):
        _, error = await ask_in_vain(candidates("one", "two"))
        _, free = await ask_in_vain(candidates("two"))
        _, completed = await ask(candidates("one", "two", "three"))
    assert (error.code, error.detail, attempts_of(error)) == ("timeout", last.detail, (SPENT,))
    assert (free, attempts_of(free)) == (last, ())
    assert completed.failed == (SPENT,)


async def test_a_circuit_opens_after_three_failures_and_tries_again() -> None:
    now = [100.0]
    circuit = Circuit(lambda: now[0])
    for _ in range(FAILURES - 1):
        circuit.failed()
        assert circuit.admits()
    circuit.succeeded()
    for _ in range(FAILURES):
        assert circuit.admits()
        circuit.failed()
    assert not circuit.admits()
    now[0] += OPEN_S
    assert [circuit.admits(), circuit.admits()] == [True, False], "one call tries, the others wait for it"
    circuit.failed()
    now[0] += OPEN_S - 1
    assert not circuit.admits()
    now[0] += 1
    assert circuit.admits()
    circuit.succeeded()
    assert [circuit.admits(), circuit.admits()] == [True, True]


async def test_a_model_that_keeps_failing_is_passed_by_until_all_do() -> None:
    with (
        scripting("one", Script(error=failure(), error_at=0)) as one,
        scripting("two", Script(deltas=("Hi.",))) as two,
    ):
        model = candidates("one", "two")
        for _ in range(FAILURES + 4):
            await ask(model)
        assert len(one.requests) == FAILURES
        two.error, two.error_at = failure("stalled"), 0
        for _ in range(FAILURES):
            await ask_in_vain(model)
        one.error = None
        text, _ = await ask(model)
    assert text == "Hello from the script.", "where every circuit is open, all are asked"


async def test_a_list_names_models_in_their_order(stub: Stub) -> None:
    settled = configured(stub)
    names = "openai:stub?error=503&n=1, anthropic:stub?n=2 ,offline,offline"
    model = chat_model(names, settled)
    assert [each.provider for each in models_of(model)] == ["openai", "anthropic", "offline"]
    text, completed = await ask(model)
    assert (text, completed.model, model.provider) == ("tok0 tok1 ", "stub", "anthropic")
    assert stub.count("stub?error=503&n=1") == 2, (
        "with another to ask, a model is tried twice, not three times"
    )
    cheaper = only(model, models_of(model)[2:])
    assert (await ask(cheaper))[1].model == "extractive"
    assert chat_model(names, settled) is not model, "each answer has its own"
    assert circuit("offline", settled) is circuit("offline", settled)
    assert models_of(chat_model("offline")) == (chat_model("offline"),)
    assert only(chat_model("offline"), []) is chat_model("offline")


@pytest.mark.parametrize("spec", ["offline,", ",offline", "offline,gemini:pro", "offline,openai:gpt-4o"])
def test_each_of_a_list_must_be_a_model_with_its_key(spec: str) -> None:
    with pytest.raises(InvalidInput):
        chat_model(spec, Configuration())


def test_a_preferred_model_comes_before_those_of_the_installation(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.OPENAI_API_KEY, settings.ANTHROPIC_API_KEY = "k", ""
    settings.LLM_MODEL = "openai:gpt-4o,offline"

    def asked(preferred: str) -> list[str]:
        return [model.model for model in models_of(answering_model(preferred))]

    assert asked("") == asked("openai:gpt-4o") == ["gpt-4o", "extractive"]
    assert asked("openai:gpt-4o-mini") == ["gpt-4o-mini", "gpt-4o", "extractive"]
    assert asked("offline") == ["extractive", "gpt-4o"]
    assert asked("anthropic:claude") == ["gpt-4o", "extractive"]
    assert "ANTHROPIC_API_KEY" in caplog.text
    settings.LLM_MODEL = "offline"
    assert asked("") == ["extractive"]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_call_that_thinks_and_says_nothing_is_paid_for(stub: Stub, provider: str) -> None:
    """The provider counts the tokens of an answer without text; who answers next does not hide that."""
    silent = f"{provider}:stub?error=empty&written=3"
    _, error = await ask_in_vain(chat_model(silent, configured(stub)))
    assert error.code == "bad_response"
    (_, completed) = await ask(chat_model(f"{silent},openai:stub?n=1", configured(stub)), REQUEST)
    assert completed.failed == attempts_of(error)
    for attempt in completed.failed:
        assert attempt.provider == provider
        assert attempt.usage.input_tokens > 0
    assert len(completed.failed) == 1
