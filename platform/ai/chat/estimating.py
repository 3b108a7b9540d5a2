"""What a call used where nobody counted: the provider sent no usage, or broke off before it did."""

from ai.chat.seam import ChatRequest
from ai.usage import Usage, estimate_tokens

# Role and separators of one message in the ChatML format, as OpenAI's cookbook counts them (three, plus the role).
TOKENS_PER_MESSAGE = 4


def estimate_input_tokens(request: ChatRequest) -> int:
    """Tokens of the prompt, estimated: its messages, or where there are none the question and its passages."""
    if request.messages:
        return sum(TOKENS_PER_MESSAGE + estimate_tokens(message.content) for message in request.messages)
    return estimate_tokens(request.question) + sum(
        estimate_tokens(passage.content) for passage in request.passages
    )


def estimate_usage(request: ChatRequest, text: str) -> Usage:
    """Usage of a call that has produced `text` so far, marked as estimated.

    This is how a stream that ended in a ProviderError is billed: pass the deltas received, joined. A call that failed
    before its first delta is free as far as we can know: providers do not bill requests that they turn away.
    """
    return Usage(estimate_input_tokens(request), estimate_tokens(text), estimated=True)
