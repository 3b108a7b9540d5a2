"""Mutated frames at the chat's socket: each is met by a frame or a close code, and the process lives on."""

import asyncio
import json
import random
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from benchmarks.installation import Installation
from benchmarks.table import Row, figure
from benchmarks.visitors import Broken, Website, send
from config.web import LARGEST_FRAME

SOCKETS: Final = 8
ANSWERED_WITHIN_S: Final = 20.0
# What a server may close with: protocol error, wrong kind, not UTF-8, too big, restarting; those of product.md.
TOO_BIG: Final = 1009
CLOSE_CODES: Final = frozenset({1002, 1003, 1007, TOO_BIG, 1012, 4401, 4403, 4404, 4429})
ODDITIES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**64, 10**400, 1e308, "", " ", "\x00", "\ud7ff", "\U0001f600" * 3,
    "a" * 9_000, [], {}, [[]], {"type": "message"}, "null", "<script>alert(1)</script>", "' OR 1=1 --",
    "../../etc/passwd", "00000000-0000-0000-0000-000000000000", "%s%n", "\r\n", "NaN",
)  # fmt: skip
BYTES: Final[tuple[bytes, ...]] = (
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"\xc3", b'"', b"[" * 5_000, b'{"type":' * 200,
    b'{"type":"ping"}{"type":"ping"}', b'{"type":"message","id":1e999,"content":"x"}', b'{"type":"resume","after":NaN}',
    b"\xef\xbb\xbf{}", b'{"type":"message","content":"\\ud800"}', b'{"\\u0000":1}',
)  # fmt: skip


class Mutator:
    """Makes frames that are almost right. The same seed makes the same frames."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def frame(self) -> tuple[bytes, aiohttp.WSMsgType]:
        """A frame's payload and its kind."""
        chance = self._random
        kind = aiohttp.WSMsgType.BINARY if chance.random() < 0.05 else aiohttp.WSMsgType.TEXT
        if chance.random() < 0.1:
            return chance.choice(BYTES), kind
        frame = self._valid()
        for _ in range(chance.randint(1, 3)):
            self._bend(frame)
        payload = json.dumps(frame).encode()
        return (self._scratch(payload) if chance.random() < 0.4 else payload), kind

    def _valid(self) -> dict[str, Any]:
        frames: tuple[dict[str, Any], ...] = (
            {"type": "message", "id": self._id(), "content": "Hello"},
            {"type": "resume", "after": 0},
            {"type": "stop"},
            {"type": "ping"},
            {"type": "typing"},
            {"type": "read", "seq": 1},
            {"type": "feedback", "message_id": self._id(), "rating": 1, "comment": "good"},
            {"type": "handoff", "reason": "a person"},
            {"type": "end"},
        )
        return dict(self._random.choice(frames))

    def _id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128)))

    def _bend(self, frame: dict[str, Any]) -> None:
        name = self._random.choice([*frame, "extra"])
        match self._random.randrange(4):
            case 0:
                frame.pop(name, None)
            case 1:
                frame[name] = self._random.choice(ODDITIES)
            case 2:
                frame[self._random.choice(["type", "id", "content", "after", "seq", "attachments"])] = (
                    frame.get(name)
                )
            case _:
                frame[name] = [frame.get(name)] * self._random.randint(0, 50)

    def _scratch(self, payload: bytes) -> bytes:
        scratched = bytearray(payload)
        for _ in range(self._random.randint(1, 4)):
            place = self._random.randrange(len(scratched) + 1)
            match self._random.randrange(3):
                case 0:
                    del scratched[place : place + self._random.randint(1, 8)]
                case 1:
                    scratched[place:place] = self._random.randbytes(self._random.randint(1, 4))
                case _:
                    scratched[place : place + 1] = bytes([self._random.randrange(256)])
        return bytes(scratched)


async def fuzz(installation: Installation, website: Website, frames: int, seed: int) -> list[Row]:
    """Send so many mutated frames from eight sockets, and count those that are not met as promised."""
    process = installation.process("web")
    mutator, met, problems = Mutator(seed), Counter[str](), list[str]()
    left = frames

    def take() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    await asyncio.gather(*(_pester(website, mutator, take, met, problems) for _ in range(SOCKETS)))
    most = ", ".join(f"{kind} {count}" for kind, count in met.most_common(6))
    note = problems[0] if problems else most
    died = int(installation.process("web") != process)
    return [
        figure(
            f"{frames:,} mutated frames: met by neither frame nor close code", len(problems), "", 0, note=note
        ),
        figure(f"{frames:,} mutated frames: web processes that died", died, "", 0),
    ]


async def _pester(
    website: Website, mutator: Mutator, take: Callable[[], bool], met: Counter[str], problems: list[str]
) -> None:
    visitor = await website.arrive()
    while take():
        payload, kind = mutator.frame()
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                await visitor.socket.send_frame(payload, kind)
                # An empty message with an id of its own is refused by that id: all that came before it is dealt with.
                fence = str(uuid.uuid4())
                await send(visitor.socket, {"type": "message", "id": fence, "content": ""})
                while (frame := await visitor.frame()).get("id") != fence:
                    met[frame["code"] if frame["type"] == "error" else frame["type"]] += 1
        except (Broken, ConnectionError, aiohttp.ClientError):
            # What was sent behind the frame may have made the kernel drop the close code: again, alone.
            code = visitor.socket.close_code
            code = code if code in CLOSE_CODES else await _close_code(website, payload, kind)
            met[f"closed {code}"] += 1
            if code not in CLOSE_CODES:
                problems.append(f"{payload[:200]!r}: closed with {code}")
            visitor = await website.arrive()
        except TimeoutError:
            problems.append(f"{payload[:200]!r}: no answer")
            visitor = await website.arrive()


async def _close_code(website: Website, payload: bytes, kind: aiohttp.WSMsgType) -> int | None:
    """What a socket is closed with after this one frame; None where it is not closed."""
    visitor = await website.arrive()
    try:
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            await visitor.socket.send_frame(payload, kind)
            while True:
                await visitor.frame()
    except (Broken, ConnectionError, aiohttp.ClientError):
        if len(payload) > LARGEST_FRAME:
            # The server hangs up before it has read all of it; the kernel may then drop the close code.
            return TOO_BIG
        return visitor.socket.close_code
    except TimeoutError:
        return None
