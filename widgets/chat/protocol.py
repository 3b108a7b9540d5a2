"""The frames of the chat socket, typed once: the widget's TypeScript is generated from here (`typescript.py`)."""

from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict, cast
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from pydantic.types import StrictInt

from widgets.chat.messages import Attachment, Author, Citation, MessageObject

MAX_CONTENT: Final = 8_000
# 8,000 characters may each be escaped as two \\uXXXX, and there is more to a frame than its content.
MAX_FRAME_CHARACTERS: Final = 128 * 1024
MAX_SEQ: Final = 2**31 - 1

ErrorCode = Literal[
    "bad_frame", "too_long", "too_fast", "not_found", "session_ended", "budget_reached", "model_unavailable",
    "attachment_refused", "not_allowed",
]  # fmt: skip
SessionStatusName = Literal["ai", "waiting", "human", "ended"]


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("the NUL character is not allowed")
    return text


def _whole_number(value: object) -> object:
    # A literal 1 would take true and 1.0 as well.
    if type(value) is not int:
        raise ValueError("must be 1 or -1")
    return value


Text = Annotated[str, AfterValidator(_without_nul)]
Rating = Annotated[Literal[1, -1], BeforeValidator(_whole_number)]


class _Client(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ClientMessage(_Client):
    """A question, or whatever the visitor says. A resend with the same id is answered by the same ack."""

    type: Literal["message"]
    id: UUID
    content: str
    attachments: list[dict[str, Any]] = Field(default_factory=list)


class ClientResume(_Client):
    """What did I miss? `after` is the last seq the client has."""

    type: Literal["resume"]
    after: Annotated[StrictInt, Field(ge=0, le=MAX_SEQ)]


class ClientStop(_Client):
    """Stop the running answer."""

    type: Literal["stop"]


class ClientPing(_Client):
    """Are you there?"""

    type: Literal["ping"]


class ClientTyping(_Client):
    """The visitor is writing."""

    type: Literal["typing"]


class ClientRead(_Client):
    """The visitor has seen everything up to `seq`."""

    type: Literal["read"]
    seq: Annotated[StrictInt, Field(ge=0, le=MAX_SEQ)]


class ClientFeedback(_Client):
    """Thumbs on an answer of one's own session. The last one counts; without a comment, the one before stays as long as
    the rating does."""

    type: Literal["feedback"]
    message_id: UUID
    rating: Rating
    comment: Annotated[Text, Field(max_length=2_000)] | None = None


class ClientHandoff(_Client):
    """A person, please."""

    type: Literal["handoff"]
    reason: Annotated[Text, Field(max_length=500)] | None = None


class ClientEnd(_Client):
    """The visitor is done."""

    type: Literal["end"]


ClientFrame = (
    ClientMessage | ClientResume | ClientStop | ClientPing | ClientTyping | ClientRead | ClientFeedback
    | ClientHandoff | ClientEnd
)  # fmt: skip


class SessionState(TypedDict):
    """The open session, as boot and ready tell it."""

    id: str
    status: SessionStatusName
    last_seq: int


class ServerReady(TypedDict):
    """The first frame of every connection; last_seq is 0 where session is null."""

    type: Literal["ready"]
    session: SessionState | None
    last_seq: int


class ServerAck(TypedDict):
    """The client's message `id` is committed."""

    type: Literal["ack"]
    id: str
    message_id: str
    seq: int
    session: str


class ServerStart(TypedDict):
    """An answer begins; it has no seq yet."""

    type: Literal["start"]
    message_id: str


class ServerDelta(TypedDict):
    """More of an answer; offset counts the Unicode code points before this text."""

    type: Literal["delta"]
    message_id: str
    offset: int
    text: str


class ServerMessage(TypedDict):
    """A committed message."""

    type: Literal["message"]
    message: MessageObject


class PartialAnswer(TypedDict):
    """The running answer so far; its further deltas follow."""

    message_id: str
    text: str


class ServerHistory(TypedDict):
    """The answer to one resume: all with seq > after, ascending. Not complete: the gap is too old, boot again."""

    type: Literal["history"]
    messages: list[MessageObject]
    complete: bool
    partial: NotRequired[PartialAnswer]


class ServerStatus(TypedDict):
    """Who is answering now."""

    type: Literal["status"]
    status: SessionStatusName
    agent: NotRequired[Author]


class ServerTyping(TypedDict):
    """Somebody else is writing: `visitor` (in another tab), or a person's name."""

    type: Literal["typing"]
    who: str


class ServerError(TypedDict):
    """Something was refused; the connection stays open."""

    type: Literal["error"]
    code: ErrorCode
    detail: str
    retry_after: NotRequired[float]
    id: NotRequired[str]


class ServerPong(TypedDict):
    """Yes."""

    type: Literal["pong"]


ServerFrame = (
    ServerReady | ServerAck | ServerStart | ServerDelta | ServerMessage | ServerHistory | ServerStatus
    | ServerTyping | ServerError | ServerPong
)  # fmt: skip

CLIENT_FRAMES: Final = (
    ClientMessage, ClientResume, ClientStop, ClientPing, ClientTyping, ClientRead, ClientFeedback, ClientHandoff,
    ClientEnd,
)  # fmt: skip
SERVER_FRAMES: Final = (
    ServerReady, ServerAck, ServerStart, ServerDelta, ServerMessage, ServerHistory, ServerStatus, ServerTyping,
    ServerError, ServerPong,
)  # fmt: skip
SHARED_SHAPES: Final = (Author, Attachment, Citation, MessageObject, SessionState, PartialAnswer)

_frames: TypeAdapter[ClientFrame] = TypeAdapter(Annotated[ClientFrame, Field(discriminator="type")])


class FrameError(Exception):
    """A frame was refused; `frame` is the `error` frame that says why."""

    def __init__(self, code: ErrorCode, detail: str, *, id: str | None = None) -> None:
        super().__init__(detail)
        self.frame = error(code, detail, id=id)


def parse(text: str | None) -> ClientFrame:
    """The frame in a text message. Raises FrameError naming the field and what is allowed."""
    if text is None:
        raise FrameError("bad_frame", "frames are JSON text, not binary")
    if len(text) > MAX_FRAME_CHARACTERS:
        raise FrameError("too_long", f"a frame has at most {MAX_FRAME_CHARACTERS} characters")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as problem:
        raise FrameError("bad_frame", "the frame is not JSON") from problem
    own_id = value.get("id") if isinstance(value, dict) and isinstance(value.get("id"), str) else None
    try:
        frame = _frames.validate_python(value)
    except ValidationError as problem:
        raise FrameError("bad_frame", _describe(problem), id=own_id) from problem
    if isinstance(frame, ClientMessage):
        check_content(frame.content, own_id)
    return frame


def check_content(content: str, own_id: str | None = None) -> None:
    """A message has 1 to 8,000 characters, not all blank, none of them NUL. Raises FrameError."""
    if len(content) > MAX_CONTENT:
        raise FrameError(
            "too_long", f"content: at most {MAX_CONTENT} characters, this has {len(content)}", id=own_id
        )
    if not content.strip():
        raise FrameError(
            "bad_frame", f"content: 1 to {MAX_CONTENT} characters that are not all blank", id=own_id
        )
    if "\x00" in content:
        raise FrameError("bad_frame", "content: the NUL character is not allowed", id=own_id)


def error(
    code: ErrorCode,
    detail: str,
    *,
    id: str | None = None,
    retry_after: float | None = None,
) -> ServerError:
    """An `error` frame."""
    frame: ServerError = {"type": "error", "code": code, "detail": detail}
    if id is not None:
        frame["id"] = id
    if retry_after is not None:
        frame["retry_after"] = retry_after
    return frame


def session_state(session_id: UUID, status: str, last_seq: int) -> SessionState:
    """A session as boot and ready tell it; `status` is one of widgets.models.SessionStatus."""
    return {"id": str(session_id), "status": cast(SessionStatusName, status), "last_seq": last_seq}


def encode(frame: ServerFrame) -> str:
    """A frame as it goes over the wire."""
    return orjson.dumps(frame).decode()


def _describe(problem: ValidationError) -> str:
    first = problem.errors(include_url=False, include_context=False)[0]
    names = ", ".join(frame.model_fields["type"].annotation.__args__[0] for frame in CLIENT_FRAMES)  # type: ignore[union-attr]
    if first["type"] in ("union_tag_invalid", "union_tag_not_found", "model_attributes_type", "dict_type"):
        return f"type: one of {names}"
    field = ".".join(str(part) for part in first["loc"][1:]) or "frame"
    return f"{field}: {first['msg']}"
