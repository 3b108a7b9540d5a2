"""The options of a request that not every model takes, and learning from a refusal which one does not.

Which parameters a model accepts changes with every family (OpenAI's reasoning models refuse `temperature` and
`max_tokens`, Anthropic's newer ones `temperature` and `top_p`), and a name says little about a model behind a
compatible server. So we ask, and where the answer is a 400 that names an option as unsupported, ask again without it.
That costs one refused request, which nobody bills, per model, option and process.
"""

import re

from kernel.errors import ProviderError

_UNSUPPORTED = re.compile(
    r"unsupported|not support|not allowed|not permitted|deprecated|unrecognized|unknown|cannot both", re.I
)


class Options:
    """Which optional parameters one model still gets. `names` are those it may do without or knows by another name."""

    def __init__(self, *names: str) -> None:
        self._names = re.compile(rf"\b({'|'.join(names)})\b")
        self.refused: frozenset[str] = frozenset()

    def learn(self, error: ProviderError) -> bool:
        """Whether `error` taught us to leave out one more option, so that asking again makes sense."""
        if error.code != "refused" or not _UNSUPPORTED.search(error.detail):
            return False
        named = self._names.search(error.detail)
        if named is None or named[1] in self.refused:
            return False
        self.refused |= {named[1]}
        return True
