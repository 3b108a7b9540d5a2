"""The frames as TypeScript: `widgets/embed/src/protocol.ts` is this module's output, and a test fails when it drifts.

python manage.py widget_protocol --write
"""

import inspect
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, NotRequired, Union, get_args, get_origin, is_typeddict
from uuid import UUID

from pydantic import BaseModel

from widgets.chat.booting import BootPersonality, BootRequest, BootResponse, BootWidget
from widgets.chat.protocol import CLIENT_FRAMES, SERVER_FRAMES, SHARED_SHAPES
from widgets.chat.proving import BootProof, ProofChallenge
from widgets.settings import Look

TARGET: Final = Path(__file__).resolve().parents[1] / "embed" / "src" / "protocol.ts"
HEADER: Final = """\
/**
 * The frames and bodies that browser and server exchange (docs: product, section 3).
 *
 * Generated from widgets/chat/protocol.py by `manage.py widget_protocol --write`; do not edit by hand. Interfaces only,
 * no logic: what the widget derives from them (unions, guards) is in frames.ts.
 */
"""
SHAPES: Final = (
    *SHARED_SHAPES, Look, BootPersonality, BootWidget, BootProof, BootRequest, BootResponse, ProofChallenge,
    *CLIENT_FRAMES, *SERVER_FRAMES,
)  # fmt: skip
SCALARS: Final[dict[Any, str]] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    UUID: "string",
    type(None): "null",
    Any: "unknown",
    object: "unknown",
}


def generate() -> str:
    """The whole file."""
    return HEADER + "\n" + "\n".join(_interface(shape) for shape in SHAPES)


def _interface(shape: type) -> str:
    lines = [
        f"/** {' '.join((inspect.getdoc(shape) or '').split())} */",
        f"export interface {shape.__name__} {{",
    ]
    lines += [f"  {name}{'?' if optional else ''}: {_type(of)};" for name, of, optional in _fields(shape)]
    return "\n".join([*lines, "}", ""])


def _fields(shape: type) -> Iterable[tuple[str, Any, bool]]:
    if issubclass(shape, BaseModel):
        for name, field in shape.model_fields.items():
            yield field.alias or name, field.annotation, not field.is_required()
        return
    for name, of in typing.get_type_hints(shape, include_extras=True).items():
        optional = get_origin(of) is NotRequired
        yield name, get_args(of)[0] if optional else of, optional


def _type(of: Any) -> str:
    if of in SCALARS:
        return SCALARS[of]
    origin, arguments = get_origin(of), get_args(of)
    if origin is Literal:
        return " | ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return " | ".join(_type(argument) for argument in arguments)
    if origin is typing.Annotated:
        # A plain dict annotated with the model that it was checked against is that model's shape.
        models = [
            noted for noted in of.__metadata__ if isinstance(noted, type) and issubclass(noted, BaseModel)
        ]
        return _type(models[0] if models else arguments[0])
    if origin is list:
        inner = _type(arguments[0])
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if origin is dict:
        return "Record<string, unknown>"
    if is_typeddict(of) or (isinstance(of, type) and issubclass(of, BaseModel)):
        name: str = of.__name__
        return name
    raise TypeError(f"{of} has no TypeScript type here")
