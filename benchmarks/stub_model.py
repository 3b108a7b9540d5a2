"""The model of the chat benchmarks: 50 ms to its first token, then 40 tokens 5 ms apart, 247 ms in all (goals.md)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.installation import Installation, Tenant, installed

WORDS: Final = 40
# Forty words of which the last names a source, so that the answer is cited like a real one.
MODEL: Final = f"stub?ttft=0.05&itl=0.005&text={'+'.join(['w'] * (WORDS - 1))}+[1]"
EMBEDDING: Final = "stub-embedding"


@contextmanager
def installed_with_stub(provider: str, model: str = MODEL) -> Iterator[tuple[Installation, Tenant]]:
    """A copy of Frontdesk whose models are the stub at `provider`, with one tenant that has to pay for every answer."""
    settings = {
        "LLM_MODEL": f"openai:{model}",
        "EMBEDDING_MODEL": f"openai:{EMBEDDING}",
        "OPENAI_BASE_URL": f"{provider}/v1",
        "OPENAI_API_KEY": "benchmarks",
    }
    with installed(**settings) as installation:
        yield (
            installation,
            installation.tenant("chat", models=[model, "stub", EMBEDDING], budget_usd="1000000"),
        )
