"""A company opens its own account: by a link to an email that thereby is proved to be theirs.

Until the link's page is sent, nothing is stored: what was asked travels in the link itself, signed. It also holds the
id that the company will have, so that a link makes one company however often and by however many it is followed.
"""

import math
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from kernel.errors import Conflict, FieldError, InvalidInput
from kernel.ids import uuid7
from kernel.limiting import Limit, take
from tenants import links, locking_out, mailing
from tenants.auditing import by_person
from tenants.context import TenantRef, acting_as
from tenants.creating import SLUG, create_user
from tenants.directory import resolve_tenant
from tenants.models import POOL_SCHEMA, KeyKind, Tenant, TenantStatus, User
from tenants.permissions import Role
from tenants.provisioning import provision
from tenants.team import refuse_weak_password

LIFETIME: Final = timedelta(days=1)
PURPOSE: Final = "sign-up"
PER_ADDRESS: Final = Limit("sign-up-address", 10 / 3600, 10)
PER_EMAIL: Final = Limit("sign-up-email", 3 / 3600, 3)
# Tries at one link's page: each tells whether a slug is taken, and hashes a password where it is not.
PER_LINK: Final = Limit("sign-up-link", 30 / 3600, 30)
MAX_SLUG: Final = 63


@dataclass(frozen=True, slots=True)
class Asked:
    """What a link says: the company that wants an account and the email that it was sent to."""

    tenant_id: uuid.UUID
    company: str
    email: str


def ask(company: str, email: str, address: str) -> None:
    """Have the worker write to `email`. The same is done, and told, whether it has an account or not; who has asked too
    often gets no letter."""
    from tenants.tasks import send_sign_up  # a door, which imports this module

    email = email.strip().lower()
    asked = take(
        (PER_ADDRESS, locking_out.address(address).name), (PER_EMAIL, locking_out.account(email).name)
    )
    if asked is None or asked.allowed:
        send_sign_up.apply_async([company.strip(), email])


def write(company: str, email: str) -> bool:
    """The worker's part: a link, or to somebody with an account that they have one; whether a letter went.

    The letter does not name the company: whoever asks for it chooses that text, and could have us write anything to
    anybody.
    """
    if _has_account(email):
        return mailing.send(
            email,
            "You have a Frontdesk account",
            "Somebody asked to open an account with this email, which has one already. Sign in here, or have a new"
            f" password sent to you there:\n{settings.BASE_URL}{reverse('admin:login')}",
        )
    token = links.issue(PURPOSE, TenantRef(uuid7(), POOL_SCHEMA), company=company, email=email)
    return mailing.send(
        email,
        "Open your Frontdesk account",
        "Choose your name and password here, within a day. Your account is made then, and not before:\n"
        f"{links.link('signup', token)}",
    )


def opened(token: str) -> Asked:
    """What a link says. Raises LinkInvalid, for one that was used too; Conflict where the email has got an account by
    another one."""
    tenant_id, said = links.said(PURPOSE, token, LIFETIME)
    if tenant_id is None or resolve_tenant(KeyKind.TENANT, str(tenant_id)) is not None:
        raise links.LinkInvalid
    asked = Asked(tenant_id, str(said["company"]), str(said["email"]))
    if _has_account(asked.email):
        raise _taken(asked)
    return asked


def finish(token: str, *, name: str, company: str, slug: str, website: str, password: str) -> Tenant:
    """The company, its owner and what it starts with: all of it or nothing.

    Raises as `opened`; InvalidInput naming `slug`, `website` or `password`; LockedOut after too many tries.
    """
    asked = opened(token)
    _count_try(asked)
    refuse_weak_password(password, asked.email)
    try:
        with by_person(None, asked.email), acting_as(TenantRef(asked.tenant_id, POOL_SCHEMA)):
            tenant = _make(asked, company, slug, website)
            _make_owner(asked, name, password)
    except (Conflict, InvalidInput):
        # Where somebody followed the same link at the same moment and was first, the id is taken, and that is why.
        opened(token)
        raise
    return tenant


def proposed_slug(company: str) -> str:
    """A slug made of a company's name; empty where no letter of it is one."""
    plain = unicodedata.normalize("NFKD", company).encode("ascii", "ignore").decode().lower()
    slug = "-".join("".join(c if c.isalnum() else " " for c in plain).split())[:MAX_SLUG].strip("-")
    return slug if SLUG.fullmatch(slug) else ""


def origin_of(website: str) -> str:
    """The origin of a website as people type it: acme.com/help is https://acme.com. What is none stays what it is."""
    website = website.strip()
    if website and "//" not in website:
        website = f"https://{website}"
    try:
        parts = urlsplit(website)
    except ValueError:
        return website
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else website


def _make(asked: Asked, company: str, slug: str, website: str) -> Tenant:
    websites = [origin_of(website)] if website.strip() else []
    try:
        return provision(
            company,
            slug,
            status=TenantStatus.TRIALING,
            websites=websites,
            tenant_id=asked.tenant_id,
        )
    except Conflict as taken:
        raise InvalidInput.of("slug", "is taken; choose another") from taken
    except InvalidInput as refused:
        raise InvalidInput(refused.detail, errors=[_as_asked(one) for one in refused.errors]) from refused


def _as_asked(error: FieldError) -> FieldError:
    """An error of the first widget's, at the field of the page that it is about."""
    return FieldError("website", error.message) if error.field.startswith("domain_whitelist") else error


def _make_owner(asked: Asked, name: str, password: str) -> User:
    try:
        return create_user(asked.email, password, name=name, role=Role.OWNER)
    except Conflict as taken:
        raise _taken(asked) from taken


def _taken(asked: Asked) -> Conflict:
    return Conflict(f"{asked.email} has an account already, and an email opens one. Sign in with it.")


def _count_try(asked: Asked) -> None:
    tried = take((PER_LINK, str(asked.tenant_id)))
    if tried is not None and not tried.allowed:
        raise locking_out.LockedOut(math.ceil(tried.retry_after_s))


def _has_account(email: str) -> bool:
    """Whether it signs somebody in: of a tenant, or of the platform."""
    is_staff = User.objects.filter(email=email, tenant=None).exists()
    return is_staff or resolve_tenant(KeyKind.EMAIL, email) is not None
