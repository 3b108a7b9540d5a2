"""What one call to a model used, in tokens, and how it is estimated where the provider does not say."""

from dataclasses import dataclass

BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `input_tokens` INCLUDES `cached_tokens` (read from the provider's prompt cache, cheaper)
    and `cache_write_tokens` (written to it, dearer), which is the convention of genai-prices.
    `estimated` is true where the provider did not count and we did."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    estimated: bool = False


def estimate_tokens(text: str) -> int:
    """Tokens of `text`, estimated: its UTF-8 bytes over four, rounded up, 0 for no text.

    Four characters per token is OpenAI's own rule of thumb for English. Counting bytes gives the same there, about two
    characters per token for Cyrillic, and a little over one character per token for Chinese and Japanese, so that the
    estimate errs to the dear side for the scripts that tokenisers cut finer.
    """
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
