"""API keys, members, providers' keys and domains as the API shows and reads them."""

from tenants.authentication import SCOPES
from tenants.hostnames import LONGEST
from tenants.permissions import Role
from tenants.provider_keys import Provider
from tenants.rest.fields import (
    Address,
    Choice,
    Email,
    Flag,
    Id,
    Integer,
    StrictSerializer,
    Text,
    TextList,
    Time,
)
from tenants.rotating import MAX_OVERLAP, OVERLAP


class ApiKeyFields(StrictSerializer):
    """A key without its secret."""

    id = Id(read_only=True)
    name = Text(max_length=120)
    prefix = Text(read_only=True, help_text="How the secret begins, to recognise it by.")
    scopes = TextList(item_length=40, min_length=1, help_text=f"One or more of {', '.join(SCOPES)}.")
    expires_at = Time(required=False, allow_null=True)
    last_used_at = Time(read_only=True, allow_null=True, help_text="To the minute.")
    created_at = Time(read_only=True)
    updated_at = Time(read_only=True)


class IssuedApiKeyFields(ApiKeyFields):
    """A new key with its secret, which is shown this once and stored nowhere."""

    key = Text(read_only=True)


class ApiKeyRenameFields(StrictSerializer):
    """All of a key that may change. For other scopes make another key."""

    name = Text(max_length=120, required=False)


class RotationFields(StrictSerializer):
    """How a key is rotated."""

    overlap_s = Integer(
        min_value=0,
        max_value=int(MAX_OVERLAP.total_seconds()),
        default=int(OVERLAP.total_seconds()),
        help_text="For how many seconds the old secret stays good; 0 revokes it at once.",
    )


class MemberFields(StrictSerializer):
    """A person of the team."""

    id = Id(read_only=True)
    email = Email(read_only=True, max_length=254)
    name = Text(max_length=120, allow_blank=True, required=False)
    role = Choice(Role, required=False, help_text="An owner may do all, an admin all but billing.")
    avatar_url = Address(max_length=500, allow_blank=True, required=False)
    is_active = Flag(required=False, help_text="false: they can sign in no more.")
    last_login = Time(read_only=True, allow_null=True)
    created_at = Time(read_only=True)
    updated_at = Time(read_only=True)


class NewMemberFields(StrictSerializer):
    """Somebody to join the team."""

    email = Email(max_length=254)
    password = Text(
        max_length=200,
        trim_whitespace=False,
        write_only=True,
        help_text="At least 12 characters. Tell them; they change it at their first visit.",
    )
    name = Text(max_length=120, allow_blank=True, required=False)
    role = Choice(Role, required=False)


class ProviderKeyFields(StrictSerializer):
    """Your own key for an AI provider. It is written and never shown again."""

    id = Id(read_only=True)
    provider = Choice(Provider, help_text="Whose models your key pays for from then on.")
    key = Text(
        max_length=300,
        write_only=True,
        help_text="As the provider shows it. Stored encrypted; it goes to the provider alone.",
    )
    last4 = Text(read_only=True, help_text="How the key ends, to recognise it by.")
    refused_at = Time(
        read_only=True, allow_null=True, help_text="When the provider refused the key; null: it does not."
    )
    refusal = Text(read_only=True, help_text="Why; empty where it is not refused.")
    created_at = Time(read_only=True)
    updated_at = Time(read_only=True)


class DomainFields(StrictSerializer):
    """A hostname of your own."""

    id = Id(read_only=True)
    hostname = Text(max_length=LONGEST, help_text="Such as help.acme.com.")
    is_primary = Flag(read_only=True, help_text="The one that links lead to.")
    verified_at = Time(read_only=True, allow_null=True, help_text="null: it serves nobody yet.")
    created_at = Time(read_only=True)
    updated_at = Time(read_only=True)


class DomainChangeFields(StrictSerializer):
    """All of a domain that may change."""

    is_primary = Flag(required=False)
