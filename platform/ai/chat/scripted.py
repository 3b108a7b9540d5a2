"""A model that says what a test wrote for it: `scripted:NAME`. It calls nobody and costs nothing.

The registry is empty unless somebody registers a script in this process, so that in production the name of any script
is unknown and refused.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ai.chat.estimating import estimate_usage
from ai.chat.seam import ChatEvent, ChatRequest, Completed, TextDelta
from ai.usage import Usage
from kernel.errors import InvalidInput, ProviderError

PROVIDER = "scripted"


@dataclass(slots=True)
class Script:
    """What to say: `deltas`, each after `delay` seconds, then Completed; or `error` in place of delta number
    `error_at` (counted from 0; None: after the last). `usage` None is estimated. `provider` and `model` are what the
    model gives itself out for. `requests` collects what was asked."""

    deltas: tuple[str, ...] = ("Hello ", "from the script.")
    delay: float = 0.0
    error: ProviderError | None = None
    error_at: int | None = None
    usage: Usage | None = None
    finish_reason: str = "stop"
    provider: str = PROVIDER
    model: str = ""
    own_key: bool = False
    requests: list[ChatRequest] = field(default_factory=list)


_scripts: dict[str, Script] = {}


def register(name: str, script: Script) -> Script:
    """Make `script` known as `scripted:NAME`, in place of an earlier one of that name."""
    _scripts[name] = script
    return script


def forget(name: str) -> None:
    """Make `scripted:NAME` unknown again."""
    _scripts.pop(name, None)


@contextmanager
def scripting(name: str, script: Script) -> Iterator[Script]:
    """`scripted:NAME` for the length of a with block."""
    try:
        yield register(name, script)
    finally:
        forget(name)


class ScriptedChat:
    """The script of one name, looked up at each call. Raises InvalidInput for a name nobody registered."""

    def __init__(self, name: str) -> None:
        if name not in _scripts:
            raise InvalidInput.of("model", f"there is no script named {name!r}")
        self._name = name
        self.provider = _scripts[name].provider
        self.model = _scripts[name].model or name
        self.own_key = _scripts[name].own_key

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """See ChatModel."""
        script = _scripts[self._name]
        script.requests.append(request)
        for position, text in enumerate(script.deltas):
            if script.error is not None and script.error_at == position:
                raise script.error
            await asyncio.sleep(script.delay)
            yield TextDelta(text)
        if script.error is not None:
            raise script.error
        usage = script.usage or estimate_usage(request, "".join(script.deltas))
        yield Completed(script.finish_reason, usage, self.model)
