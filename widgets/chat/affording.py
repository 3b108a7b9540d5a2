"""Is there money for an answer, and from which model? The most it may cost is held back before a model is asked."""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

import orjson

from ai.chat import ChatModel, ChatRequest, estimate_usage, models_of, only
from ai.usage import Usage
from billing.costs import budgets, pricing
from billing.costs.models import Degrade
from kernel import clock
from tenants.bringing_keys import PAID_BY_TENANT
from tenants.db.prepared import prepared_cursor

# Tokens are estimated as a fourth of the bytes; code and rare words take more, and a hold must not be too small.
INPUT_MARGIN: Final = 4 / 3
NOTE_ASKED: Final = "UPDATE answer_runs SET metadata = %s::jsonb WHERE id = %s"


class Afforded(NamedTuple):
    """Who is to be asked, and the most it may cost: in dollars, None where a price is unknown, and in tokens."""

    model: ChatModel
    amount: Decimal | None
    tokens: int


def afford(purpose_id: uuid.UUID, model: ChatModel, request: ChatRequest) -> Afforded | None:
    """Hold back the most that the dearest of `model`'s models may cost, and give `model` back; None where a hard cap
    has no room for it. Where the budget that refuses says `cheaper_model`, the dearest are left out until the rest
    fits.

    The run remembers which model is to be asked, so that it can be billed if this process dies. The hold is the last
    statement, so that the caller's commit frees the budget's row.
    """
    tokens = int(estimate_usage(request, "").input_tokens * INPUT_MARGIN) + 1
    most = Usage(input_tokens=tokens, output_tokens=request.max_tokens)
    for choice, amount in _choices(model, most):
        asked = {"provider": choice.provider, "model": choice.model, "inputTokens": tokens}
        if choice.own_key:
            asked |= PAID_BY_TENANT
        with prepared_cursor() as cursor:
            cursor.execute(NOTE_ASKED, [orjson.dumps(asked).decode(), purpose_id])
        try:
            budgets.reserve(
                amount=amount, purpose_id=purpose_id, tokens=most.input_tokens + most.output_tokens
            )
        except budgets.BudgetReached as refused:
            if refused.degrade != Degrade.CHEAPER_MODEL:
                return None
        else:
            return Afforded(choice, amount, most.input_tokens + most.output_tokens)
    return None


def _choices(model: ChatModel, most: Usage) -> Iterator[tuple[ChatModel, Decimal | None]]:
    """`model` whole and then without its dearest ones, each with the most it can cost: None where the price of one is
    unknown, which counts as the dearest."""
    now, left = clock.now(), list(models_of(model))
    costs = [
        pricing.price("llm", each.provider, each.model, most, None, now).cost_usd for each in models_of(model)
    ]
    while left:
        amount = None if None in costs else max(cost for cost in costs if cost is not None)
        yield only(model, left), amount
        kept = [(each, cost) for each, cost in zip(left, costs, strict=True) if cost != amount]
        left, costs = [each for each, _ in kept], [cost for _, cost in kept]
