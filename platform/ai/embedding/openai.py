"""Embedding models behind OpenAI's `/embeddings`, which most providers and self-hosted servers speak too."""

from typing import Any

from ai.configuration import Configuration, current
from ai.embedding.remote import Limits, RemoteEmbedder
from ai.embedding.seam import DIMENSIONS, Kind
from ai.patience import PATIENT, Patience


class OpenAIEmbedder(RemoteEmbedder):
    """One model at OpenAI or at OPENAI_BASE_URL, asked for 1,024 dimensions."""

    provider = "openai"
    # OpenAI takes 2,048 texts and 300,000 tokens; smaller requests fail cheaper, other servers take less. A text may
    # have 8,191 tokens, more are refused; ours are chunks of 1,000 characters.
    limits = Limits(texts=128, size=400_000, characters=16_000)

    def __init__(
        self, model: str, configuration: Configuration | None = None, patience: Patience = PATIENT
    ) -> None:
        settled = configuration or current()
        super().__init__(
            model,
            url=f"{settled.openai_base_url}/embeddings",
            key=settled.openai_api_key,
            patience=patience,
            own_key="openai" in settled.own_keys,
        )

    def payload(self, texts: list[str], kind: Kind) -> dict[str, Any]:
        return {"model": self.model, "input": texts, "dimensions": DIMENSIONS, "encoding_format": "base64"}

    def tokens(self, usage: Any) -> object:
        return usage["prompt_tokens"]
