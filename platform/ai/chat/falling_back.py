"""Several models for one answer: the next is asked where the one before does not answer."""

import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import NamedTuple

from ai.chat.breaking import Circuit
from ai.chat.seam import ChatEvent, ChatModel, ChatRequest, Completed
from ai.failures import Attempt, attempts_of, is_keys_fault, with_attempts
from kernel.errors import ProviderError

logger = logging.getLogger(__name__)

# The request itself is at fault, or the model declines: another one is not asked to do what this one would not.
NOT_PASSED_ON = frozenset({"refused"})


class Candidate(NamedTuple):
    """A model that may answer, and the circuit that all answers of this process share for it."""

    model: ChatModel
    circuit: Circuit


class FallingBack:
    """The first of `candidates`, the preferred one first, that answers. Made for one answer: `provider` and `model`
    name the one that was asked last, until then the preferred one.

    A failure is passed on after the first delta: a second answer would not continue the first. What failed calls are to
    be paid for is kept. `refusals` says, by provider, why the asker's own key was refused. Where every circuit is open
    all are asked in turn, for then nothing is lost.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self.candidates = tuple(candidates)
        self._asked = self.candidates[0].model
        self.refusals: dict[str, str] = {}

    @property
    def provider(self) -> str:
        return self._asked.provider

    @property
    def model(self) -> str:
        return self._asked.model

    @property
    def own_key(self) -> bool:
        return self._asked.own_key

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """See ChatModel; raises what the last model that was asked raised."""
        paid: tuple[Attempt, ...] = ()
        failure: ProviderError | None = None
        for model, circuit in self._in_turn():
            if failure is not None:
                logger.warning(
                    "%s:%s %s, asking %s:%s",
                    self.provider, self.model, failure.code, model.provider, model.model,
                )  # fmt: skip
            self._asked = model
            started = False
            try:
                async with aclosing(model.stream(request)) as events:
                    async for event in events:
                        started = True
                        if isinstance(event, Completed):
                            circuit.succeeded()
                            event = replace(event, failed=(*paid, *event.failed))
                        yield event
                return
            except ProviderError as error:
                failure = error
                paid += attempts_of(error)
                if model.own_key and is_keys_fault(error):
                    self.refusals[model.provider] = error.detail
                if error.code in NOT_PASSED_ON:
                    break
                circuit.failed()
                if started:
                    break
        assert failure is not None, "there is at least one candidate"
        raise with_attempts(failure, paid) from failure.__cause__

    def _in_turn(self) -> Iterator[Candidate]:
        """Each is asked whether it may be tried when its turn has come, not before."""
        asked_any = False
        for candidate in self.candidates:
            if candidate.circuit.admits():
                asked_any = True
                yield candidate
        if not asked_any:
            yield from self.candidates


def refusals_of(model: ChatModel, failure: ProviderError | None) -> dict[str, str]:
    """Why the asker's own keys were refused while `model` answered, by provider; `failure` is how it ended."""
    if isinstance(model, FallingBack):
        return model.refusals
    return {model.provider: failure.detail} if failure and model.own_key and is_keys_fault(failure) else {}


def models_of(model: ChatModel) -> tuple[ChatModel, ...]:
    """Every model that may answer in the name of `model`, the preferred one first."""
    return tuple(each.model for each in model.candidates) if isinstance(model, FallingBack) else (model,)


def only(model: ChatModel, chosen: Sequence[ChatModel]) -> ChatModel:
    """`model` without those of `models_of(model)` that are not `chosen`, at least one."""
    if not isinstance(model, FallingBack):
        return model
    return FallingBack([candidate for candidate in model.candidates if candidate.model in chosen])
