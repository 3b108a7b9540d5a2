"""Security keys and passkeys as a second factor (WebAuthn level 2), by py_webauthn, which is imported here alone.

A ceremony has two halves: options with a fresh challenge, which the door keeps in the person's session, and the key's
answer, which signs that challenge. The door gives a challenge back once, whatever becomes of it. A key is bound to the
host where it was added: an answer given on a page of another host does not fit, which is what makes it safe from
phishing.
"""

import hashlib
import ipaddress
import json
import logging
import re
import uuid
from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import webauthn
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from kernel.errors import Conflict, InvalidInput, NotFound
from tenants import locking_out, second_factor
from tenants.models import SecurityKey, User
from tenants.signing_in import record_failure

MAX_KEYS: Final = 20
MAX_NAME: Final = 60
# A key's answer has a few thousand characters; RSA keys of a TPM have the longest.
MAX_ANSWER: Final = 32_768
CREDENTIAL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,1364}")
REFUSED: Final = "was not accepted. Try again."
SELECTION: Final = AuthenticatorSelectionCriteria(
    resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.PREFERRED
)

_log = logging.getLogger(__name__)


class Place(NamedTuple):
    """The host that keys are bound to, and the origins that its pages have."""

    rp_id: str
    origins: list[str]


class Asked(NamedTuple):
    """What a browser is to ask a key, as JSON, and the challenge in it, in base64url."""

    options: str
    challenge: str


def place_of(host: str, *, is_secure: bool) -> Place | None:
    """Where a request with this Host (checked by ALLOWED_HOSTS) is; None where browsers offer no keys: at an address
    instead of a name, and without TLS except on localhost."""
    base = urlsplit(settings.BASE_URL)
    origins = {f"{'https' if is_secure else 'http'}://{host}"}
    if base.netloc.lower() == host.lower():
        origins.add(f"{base.scheme}://{host}")
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        is_local = name == "localhost" or name.endswith(".localhost")
        trusted = sorted(origin for origin in origins if is_local or origin.startswith("https://"))
        return Place(name, trusted) if name and trusted else None
    return None


def keys_of(user: User, place: Place | None = None) -> list[SecurityKey]:
    """`user`'s keys, oldest first: all of them, or those that can be used at `place`."""
    keys = SecurityKey.objects.filter(user=user).order_by("id")
    return list(keys.filter(rp_id=place.rp_id) if place else keys)


def ask_to_add(user: User, place: Place) -> Asked:
    """The first half of adding a key. Raises Conflict where there are 20."""
    known = keys_of(user)
    if len(known) >= MAX_KEYS:
        raise Conflict(f"You have {MAX_KEYS} security keys. Remove one first.")
    options = webauthn.generate_registration_options(
        rp_id=place.rp_id,
        rp_name=second_factor.ISSUER,
        user_id=user.pk.bytes,
        user_name=user.email,
        user_display_name=user.get_full_name(),
        authenticator_selection=SELECTION,
        exclude_credentials=_described(key for key in known if key.rp_id == place.rp_id),
    )
    return Asked(webauthn.options_to_json(options), bytes_to_base64url(options.challenge))


def add(user: User, name: str, answer: str, *, challenge: str, place: Place) -> list[str]:
    """Add the key that gave `answer`; the recovery codes, shown this once, where it is the first factor, else none.

    Raises InvalidInput naming `answer` or `name`, Conflict for a key that somebody has added.
    """
    if not 0 < len(name.strip()) <= MAX_NAME:
        raise InvalidInput.of("name", f"must have 1 to {MAX_NAME} characters")
    verified = _verified(
        webauthn.verify_registration_response,
        credential=_parsed(answer),
        expected_challenge=base64url_to_bytes(challenge),
        expected_rp_id=place.rp_id,
        expected_origin=place.origins,
    )
    is_first = not second_factor.is_on(user)
    try:
        with transaction.atomic():
            SecurityKey.objects.create(
                user=user,
                name=name.strip(),
                rp_id=place.rp_id,
                credential_id=bytes_to_base64url(verified.credential_id),
                public_key=verified.credential_public_key,
                sign_count=verified.sign_count,
                transports=_transports(answer),
                last_challenge=_digest(challenge),
            )
    except IntegrityError as error:
        raise Conflict("This key is added already.") from error
    return second_factor.renew_recovery_codes(user) if is_first else []


def ask_to_sign_in(user: User, place: Place) -> Asked | None:
    """The first half of the second step; None where `user` has no key for this place."""
    keys = keys_of(user, place)
    if not keys:
        return None
    options = webauthn.generate_authentication_options(
        rp_id=place.rp_id,
        allow_credentials=_described(keys),
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return Asked(webauthn.options_to_json(options), bytes_to_base64url(options.challenge))


def check(user: User, answer: str, *, challenge: str, place: Place) -> None:
    """Whether one of `user`'s keys signed the challenge, and its counter went up. Raises InvalidInput naming `answer`
    where not, LockedOut after too many tries."""
    counted = locking_out.second_step(user.pk)
    locking_out.begin_try(counted)
    try:
        _use(user, answer, challenge, place)
    except InvalidInput:
        record_failure(user, counted, "security key")
        raise
    locking_out.succeeded(counted)


def remove(user: User, key_id: uuid.UUID, password: str) -> None:
    """Forget a key. Raises InvalidInput for a wrong password, LockedOut, NotFound, Conflict as
    `second_factor.removing` does."""
    second_factor.refuse_wrong_password(user, password)
    with second_factor.removing(user):
        if not SecurityKey.objects.filter(user=user, pk=key_id).delete()[0]:
            raise NotFound("There is no such key; it may have been removed already.")


def _use(user: User, answer: str, challenge: str, place: Place) -> None:
    given = _parsed(answer)
    with transaction.atomic():
        # Locked, so that one answer sent twice at once opens one session.
        key = (
            SecurityKey.objects.select_for_update()
            .filter(user=user, rp_id=place.rp_id, credential_id=_credential_id(given))
            .first()
        )
        if key is None or key.last_challenge == _digest(challenge):
            raise InvalidInput.of("answer", REFUSED)
        verified = _verified(
            webauthn.verify_authentication_response,
            credential=given,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=place.rp_id,
            expected_origin=place.origins,
            credential_public_key=bytes(key.public_key),
            credential_current_sign_count=key.sign_count,
        )
        key.sign_count, key.last_challenge = verified.new_sign_count, _digest(challenge)
        key.last_used_at = timezone.now()
        key.save(update_fields=["sign_count", "last_challenge", "last_used_at", "updated_at"])


def _verified(verify: Any, **given: Any) -> Any:
    try:
        return verify(**given)
    except Exception as error:
        # The answer is a stranger's bytes, and parsers of bytes raise of many kinds. Among the reasons, which hold no
        # secret: a counter that did not go up, as a copied key's would not.
        _log.warning("a security key's answer was refused: %s", error)
        raise InvalidInput.of("answer", REFUSED) from error


def _parsed(answer: str) -> dict[str, Any]:
    try:
        given = json.loads(answer) if len(answer) <= MAX_ANSWER else None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise InvalidInput.of("answer", REFUSED)
    return given


def _credential_id(given: dict[str, Any]) -> str:
    """The id of the key that answered; empty, which is none's, where it is no base64url."""
    told = given.get("id")
    return told if isinstance(told, str) and CREDENTIAL_ID.fullmatch(told) else ""


def _transports(answer: str) -> list[str]:
    """How the key is reached, as its browser says: a hint for later, of the standard's words only."""
    told = _parsed(answer).get("response", {}).get("transports")
    known = {one.value for one in AuthenticatorTransport}
    return sorted({one for one in told if isinstance(one, str)} & known) if isinstance(told, list) else []


def _described(keys: Iterable[SecurityKey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(key.credential_id),
            transports=[AuthenticatorTransport(one) for one in key.transports] or None,
        )
        for key in keys
    ]


def _digest(challenge: str) -> str:
    return hashlib.sha256(challenge.encode()).hexdigest()
