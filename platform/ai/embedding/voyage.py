"""Voyage AI's embedding models. They embed questions and documents each in their own way."""

from typing import Any, Final

from ai.configuration import Configuration, current
from ai.embedding.remote import Limits, RemoteEmbedder
from ai.embedding.seam import DIMENSIONS, Kind
from ai.patience import PATIENT, Patience

# Older models have one size only and refuse to be asked for another; it is 1,024 for most of them.
FIXED_SIZE: Final = (
    "voyage-2",
    "voyage-3",
    "voyage-3-lite",
    "voyage-finance-2",
    "voyage-law-2",
    "voyage-multilingual-2",
)
INPUT_TYPES: Final = {"query": "query", "passage": "document"}


class VoyageEmbedder(RemoteEmbedder):
    """One model at Voyage, asked for 1,024 dimensions."""

    provider = "voyage"
    # Voyage takes 1,000 texts and, with its larger models, 120,000 tokens: at a byte a token that is never more.
    limits = Limits(texts=128, size=120_000, characters=16_000)

    def __init__(
        self, model: str, configuration: Configuration | None = None, patience: Patience = PATIENT
    ) -> None:
        settled = configuration or current()
        super().__init__(
            model,
            url=f"{settled.voyage_base_url}/embeddings",
            key=settled.voyage_api_key,
            patience=patience,
            own_key="voyage" in settled.own_keys,
        )

    def payload(self, texts: list[str], kind: Kind) -> dict[str, Any]:
        payload = {
            "model": self.model,
            "input": texts,
            "input_type": INPUT_TYPES[kind],
            "encoding_format": "base64",
        }
        return payload if self.model in FIXED_SIZE else {**payload, "output_dimension": DIMENSIONS}

    def tokens(self, usage: Any) -> object:
        return usage["total_tokens"]
