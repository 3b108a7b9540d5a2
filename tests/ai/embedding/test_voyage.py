"""Voyage's embedder against the stub: what it sends, reads and refuses, and what it costs."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from ai import prices
from ai.configuration import Configuration, current
from ai.embedding import DIMENSIONS, embedder
from ai.embedding.voyage import VoyageEmbedder
from ai.patience import Patience
from kernel.errors import ProviderError
from tests.ai.stub_provider import Stub, embed

LIMITS = VoyageEmbedder.limits


def voyage(stub: Stub, model: str = "voyage-3.5") -> VoyageEmbedder:
    settled = Configuration(voyage_api_key="pa-test", voyage_base_url=f"{stub.url}/v1")
    return VoyageEmbedder(model, settled, Patience(backoff_s=0.001))


async def test_questions_and_documents_are_told_apart(stub: Stub) -> None:
    found = await voyage(stub).embed(["opening hours", "prices"], kind="passage")
    await voyage(stub).embed(["when?"], kind="query")
    first, second = stub.requests
    assert first["body"] == {
        "model": "voyage-3.5",
        "input": ["opening hours", "prices"],
        "input_type": "document",
        "encoding_format": "base64",
        "output_dimension": DIMENSIONS,
    }
    assert first["headers"]["authorization"] == "Bearer pa-test"
    assert second["body"]["input_type"] == "query"
    assert np.allclose(found.vectors, [embed("opening hours", DIMENSIONS), embed("prices", DIMENSIONS)])
    assert (found.provider, found.model) == ("voyage", "voyage-3.5")
    assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.estimated) == (4, 0, False)


async def test_an_older_model_is_not_asked_for_a_size(stub: Stub) -> None:
    found = await voyage(stub, "voyage-law-2").embed(["a"], kind="query")
    assert "output_dimension" not in stub.requests[0]["body"]
    assert found.vectors.shape == (1, DIMENSIONS)


async def test_requests_keep_within_the_limits(stub: Stub) -> None:
    long = "x" * (LIMITS.characters + 1)
    texts = ["t"] * (LIMITS.texts + 1) + [long] * 8
    found = await voyage(stub).embed(texts, kind="passage")
    sent = [request["body"]["input"] for request in stub.requests]
    assert [len(part) for part in sent] == [LIMITS.texts, 8, 1]
    assert all(sum(map(len, part)) <= LIMITS.size for part in sent)
    assert len(sent[2][0]) == LIMITS.characters
    assert found.vectors.shape == (len(texts), DIMENSIONS)
    assert found.usage.input_tokens == sum(max(1, len(text) // 4) for part in sent for text in part)


@pytest.mark.parametrize(
    ("fault", "code", "retryable", "calls"),
    [
        ("401", "unauthorized", False, 1),
        ("400", "refused", False, 1),
        ("429", "rate_limited", True, 3),
        ("500", "unavailable", True, 3),
        ("503", "unavailable", True, 3),
        ("badjson", "bad_response", True, 1),
    ],
)
async def test_failures_say_what_they_are(
    stub: Stub, fault: str, code: str, retryable: bool, calls: int
) -> None:
    with pytest.raises(ProviderError) as failed:
        await voyage(stub, f"voyage-3.5?error={fault}&message=because").embed(["a"], kind="query")
    assert (failed.value.code, failed.value.retryable, failed.value.provider) == (code, retryable, "voyage")
    assert len(stub.requests) == calls
    assert ("because" in failed.value.detail) == (fault not in ("401", "badjson"))


async def test_a_moments_trouble_is_waited_out(stub: Stub) -> None:
    found = await voyage(stub, "voyage-3.5?error=503&first=2").embed(["a"], kind="query")
    assert (len(found.vectors), len(stub.requests)) == (1, 3)


async def test_nobody_there_is_unavailable() -> None:
    settled = Configuration(voyage_api_key="k", voyage_base_url="http://127.0.0.1:9/v1")
    with pytest.raises(ProviderError) as failed:
        await VoyageEmbedder("voyage-3.5", settled, Patience(retries=0)).embed(["a"], kind="query")
    assert (failed.value.code, failed.value.provider) == ("unavailable", "voyage")


def test_the_setting_names_it(settings) -> None:
    settings.VOYAGE_API_KEY, settings.VOYAGE_BASE_URL = "pa-test", "http://127.0.0.1:9/v1/"
    found = embedder("voyage:voyage-4-lite")
    assert (found.provider, found.model, found.languages) == ("voyage", "voyage-4-lite", None)
    assert (current().voyage_api_key, current().voyage_base_url) == ("pa-test", "http://127.0.0.1:9/v1")
    with pytest.raises(ValueError, match="voyage:<model>"):
        embedder("voyage:")


def test_its_price_is_known_and_a_made_up_ones_is_not() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    found = prices.lookup("voyage", "voyage-3.5", now)
    assert found is not None
    assert (found.input, found.output) == (Decimal("0.06"), None)
    assert prices.lookup("voyage", "voyage-99", now) is None
