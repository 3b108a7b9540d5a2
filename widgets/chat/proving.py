"""Proof of work: a little arithmetic that a visitor's browser does before it is let in, and a crowd of bots pays for.

A challenge is a signed text that names the widget, the address and the time; nothing is kept for it until it is used.
Its solution is COUNT numbers: the SHA-256 of `<seed>.<index>.<number>` begins with so many zero bits, for each index
from 0, where the seed is the first 32 hexadecimal digits of the SHA-256 of the token. Several small puzzles take a more
even time than a large one. docs/chat-protocol.md says it for other clients.
"""

import hashlib
import secrets
from typing import Annotated, Final, TypedDict

from django.conf import settings
from django.core import signing
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from kernel.errors import FrontdeskError
from kernel.limiting import counted_as

SALT: Final = "frontdesk.proof"
COUNT: Final = 8
LIFETIME_S: Final = 300
LARGEST_NUMBER: Final = 2**32


class ProofChallenge(TypedDict):
    """What is to be solved: `count` numbers, each for a hash of `seed` that begins with `bits` zero bits."""

    token: str
    seed: str
    count: int
    bits: int


class BootProof(BaseModel):
    """A challenge's token and its solution."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    token: Annotated[StrictStr, Field(max_length=600)]
    numbers: Annotated[list[Annotated[StrictInt, Field(ge=0, lt=LARGEST_NUMBER)]], Field(max_length=64)]


class ProofRequired(FrontdeskError):
    """This widget lets nobody in without a proof of work; `extensions` has the challenge."""

    code = "proof_of_work_required"
    status = 428

    def __init__(self, public_key: str, address: str) -> None:
        super().__init__("solve the challenge and boot again with its proof")
        self.extensions = {"challenge": challenge(public_key, address)}


def challenge(public_key: str, address: str) -> ProofChallenge:
    """A new challenge for whoever asks for this widget from this address."""
    bits = settings.PROOF_OF_WORK_BITS
    names = [public_key, counted_as(address), bits, secrets.token_urlsafe(12)]
    token = signing.dumps(names, salt=SALT, compress=False)
    return {"token": token, "seed": seed_of(token), "count": COUNT, "bits": bits}


def seed_of(token: str) -> str:
    """What the hashes of a solution begin with."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def is_solved(proof: BootProof, public_key: str, address: str) -> bool:
    """Whether this solves a challenge of ours, in time, for this widget and address. Whether it was used before is for
    the caller to find out, by the token's seed."""
    try:
        names = signing.loads(proof.token, salt=SALT, max_age=LIFETIME_S)
    except (signing.BadSignature, ValueError, TypeError):
        return False
    if names[:2] != [public_key, counted_as(address)] or len(proof.numbers) != COUNT:
        return False
    seed, bits = seed_of(proof.token), int(names[2])
    return all(is_hit(seed, index, number, bits) for index, number in enumerate(proof.numbers))


def is_hit(seed: str, index: int, number: int, bits: int) -> bool:
    """Whether a number's hash begins with `bits` zero bits."""
    digest = hashlib.sha256(f"{seed}.{index}.{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> (32 - bits) == 0
