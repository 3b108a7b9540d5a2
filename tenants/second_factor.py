"""A second factor for signing in: codes of an app (TOTP, RFC 6238) or security keys (`tenants.security_keys`), and
recovery codes for when they are lost, made with the first of either.

The app's secret is encrypted at rest. Recovery codes are 80 random bits each, so a plain SHA-256 guards them.
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pyotp
from django.contrib.auth.hashers import check_password
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from kernel.encryption import decrypt, encrypt
from kernel.errors import Conflict, InvalidInput, NotAllowed
from tenants import locking_out
from tenants.accounts import AppFactor
from tenants.auditing import Target, by_person, record
from tenants.context import current_tenant, require_tenant
from tenants.models import (
    RecoveryCode,
    SecondFactor,
    SecurityKey,
    StaffRecoveryCode,
    StaffSecondFactor,
    Tenant,
    User,
)
from tenants.signing_in import record_failure

ISSUER: Final = "Frontdesk"
RECOVERY_CODES: Final = 10
STEP_S: Final = 30
# A code of the step before or after is good too: clocks differ (RFC 6238, section 5.2).
DRIFT: Final = (0, -1, 1)
ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
SETTING: Final = "secondFactor"


def is_on(user: User) -> bool:
    """Whether `user` signs in with an app or a security key besides the password."""
    return has_app(user) or SecurityKey.objects.filter(user=user).exists()


def has_app(user: User) -> bool:
    """Whether one of their factors is an authenticator app."""
    return _apps(user).exclude(confirmed_at=None).exists()


def is_required() -> bool:
    """Whether the acting tenant wants one of everybody."""
    tenant = current_tenant()
    if tenant is None:
        return False
    stored = Tenant.objects.values_list("settings", flat=True).get(pk=tenant.id)
    return bool(stored.get(SETTING) == "required")


def is_missing(user: User) -> bool:
    """Whether `user` must set one up before anything else."""
    return is_required() and not is_on(user)


def require(by: User, required: bool) -> None:
    """Whether everybody of the tenant needs one from now on. Raises NotAllowed where `by` is no owner."""
    if not by.is_owner or by.is_platform_staff:
        raise NotAllowed("Only an owner decides this.")
    tenant = Tenant.objects.select_for_update().get(pk=require_tenant().id)
    others = {key: value for key, value in tenant.settings.items() if key != SETTING}
    tenant.settings = others | ({SETTING: "required"} if required else {})
    tenant.save(update_fields=["settings", "updated_at"])


def begin(user: User, password: str) -> None:
    """Give `user` a new secret, which counts once `confirm` has seen a code of it. Raises InvalidInput for a wrong
    password, LockedOut, Conflict where an app is on."""
    refuse_wrong_password(user, password)
    if has_app(user):
        raise Conflict("An app is set up. Change to another one, or remove it first.")
    _apps(user).update_or_create(
        user=user, defaults={"secret": encrypt(pyotp.random_base32()), "last_step": 0, "confirmed_at": None}
    )


def pending_address(user: User) -> str | None:
    """What the app scans (an otpauth:// address) while a secret waits for its first code, else None."""
    factor = _apps(user).filter(confirmed_at=None).first()
    return address_of(user, factor.secret) if factor else None


def address_of(user: User, secret: bytes | memoryview) -> str:
    """What an app scans to have this (encrypted) secret."""
    return pyotp.TOTP(decrypt(secret)).provisioning_uri(name=user.email, issuer_name=ISSUER)


def another(user: User, password: str) -> bytes:
    """A secret for another app, encrypted; it takes the old one's place once `swap` has seen a code of it, so that
    nobody is without a factor in between. Raises InvalidInput for a wrong password, LockedOut."""
    refuse_wrong_password(user, password)
    return encrypt(pyotp.random_base32())


@transaction.atomic
def swap(user: User, secret: bytes, code: str) -> None:
    """Have the app with this secret in place of the one that is on. Raises InvalidInput, LockedOut."""
    app = _apps(user).select_for_update().exclude(confirmed_at=None).first()
    if app is None:
        raise InvalidInput.of("code", "came too late: your app was removed. Begin again.")
    app.secret, app.last_step = secret, 0
    _refuse_wrong_code(user, app, code)
    app.save(update_fields=["secret", "last_step", "updated_at"])


@transaction.atomic
def confirm(user: User, code: str) -> list[str]:
    """Turn it on with a first code; the recovery codes, shown this once, where this is the first factor, else none.
    Raises InvalidInput, LockedOut."""
    factor = _apps(user).select_for_update().filter(confirmed_at=None).first()
    _refuse_wrong_code(user, factor, code)
    assert factor is not None
    is_first = not is_on(user)
    factor.confirmed_at = timezone.now()
    factor.save(update_fields=["last_step", "confirmed_at", "updated_at"])
    return renew_recovery_codes(user) if is_first else []


def renew_recovery_codes(user: User) -> list[str]:
    """Ten new ones in place of all that were, shown this once."""
    codes = ["-".join(_random(4) for _ in range(4)) for _ in range(RECOVERY_CODES)]
    known = _codes(user)
    known.delete()
    known.bulk_create(known.model(user=user, code_hash=_digest(code)) for code in codes)
    if not user.is_platform_staff:
        record("renewed", Target("recovery_codes", user.pk, str(user)), after={"codes": len(codes)})
    return codes


def recovery_codes_left(user: User) -> int:
    """How many of them are unused."""
    return _codes(user).filter(used_at=None).count()


@transaction.atomic
def check(user: User, code: str) -> bool:
    """Whether `code` opens the second step: one that the app shows, not used before, or an unused recovery code. Raises
    LockedOut."""
    counted = locking_out.second_step(user.pk)
    locking_out.begin_try(counted)
    # Locked, so that one code sent twice at once opens one session.
    app = _apps(user).select_for_update().exclude(confirmed_at=None).first()
    if app is not None and _is_new_code(app, code):
        app.save(update_fields=["last_step", "updated_at"])
    elif not _use_recovery_code(user, code):
        record_failure(user, counted, "code")
        return False
    locking_out.succeeded(counted)
    return True


def turn_off(user: User, password: str) -> None:
    """Remove the app. Raises InvalidInput for a wrong password, LockedOut, Conflict as `removing` does."""
    refuse_wrong_password(user, password)
    with removing(user):
        _apps(user).delete()


def turn_off_for(by: User, person: User) -> None:
    """For a colleague who lost the app, the keys and the codes: they sign in by password alone. Raises NotAllowed where
    `by` is no owner."""
    if not by.is_owner:
        raise NotAllowed("Only an owner can turn off somebody's second factor.")
    _codes(person).delete()
    _apps(person).delete()
    SecurityKey.objects.filter(user=person).delete()


@contextmanager
def removing(user: User) -> Iterator[None]:
    """Where one of `user`'s factors is removed; with the last one the recovery codes go too. Raises Conflict, and
    removes nothing, where it is the last one and their company asks for one."""
    with transaction.atomic():
        # The person's row is locked, so that the last two cannot be removed at once, each believing in the other.
        User.objects.select_for_update().get(pk=user.pk)
        yield
        if is_on(user):
            return
        if is_required():
            raise Conflict(
                "Your company asks for a second factor. Set up another one before you remove this."
            )
        _codes(user).delete()


def refuse_wrong_password(user: User, password: str) -> None:
    """Raise InvalidInput, naming `password`, for one that is not `user`'s; LockedOut after too many."""
    counted = locking_out.account(user.email)
    locking_out.begin_try(counted)
    if not check_password(password, user.password):
        raise InvalidInput.of("password", "is not your password")
    locking_out.succeeded(counted)


def _refuse_wrong_code(user: User, app: AppFactor | None, code: str) -> None:
    counted = locking_out.second_step(user.pk)
    locking_out.begin_try(counted)
    if app is None or not _is_new_code(app, code):
        raise InvalidInput.of("code", "is not what the app shows now; is your device's clock right?")
    locking_out.succeeded(counted)


def _apps(user: User) -> "QuerySet[Any]":
    """Their authenticator app, where it stands: in the tenant's schema, or with the platform's staff."""
    model = StaffSecondFactor if user.is_platform_staff else SecondFactor
    return model.objects.filter(user=user)


def _codes(user: User) -> "QuerySet[Any]":
    model = StaffRecoveryCode if user.is_platform_staff else RecoveryCode
    return model.objects.filter(user=user)


def _is_new_code(factor: AppFactor, code: str) -> bool:
    """Whether it is a code of about now and of a later step than the last one used, which it then becomes."""
    totp, given = pyotp.TOTP(decrypt(factor.secret)), code.replace(" ", "")
    step = int(timezone.now().timestamp()) // STEP_S
    if not (given.isascii() and given.isdigit()):
        return False
    for near in (step + drift for drift in DRIFT):
        if near > factor.last_step and totp.verify(given, for_time=near * STEP_S):
            factor.last_step = near
            return True
    return False


def _use_recovery_code(user: User, code: str) -> bool:
    unused = _codes(user).filter(code_hash=_digest(code), used_at=None)
    with by_person(user):
        return unused.update(used_at=timezone.now()) == 1


def _digest(code: str) -> str:
    return hashlib.sha256(code.strip().lower().replace(" ", "").encode(errors="replace")).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
