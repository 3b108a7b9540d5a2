"""What every page of the admin stands on: it acts for one tenant, calls deeds and writes nothing of its own."""

from tenants.administration.forms import DeedForm, Lines, SpendCapsForm, for_request, tried
from tenants.administration.pages import RecordAdmin, TenantAdmin, caller_in_words, person, safely
from tenants.administration.wording import dollars, facts, moment, plural, words

__all__ = [
    "DeedForm",
    "Lines",
    "RecordAdmin",
    "SpendCapsForm",
    "TenantAdmin",
    "caller_in_words",
    "dollars",
    "facts",
    "for_request",
    "moment",
    "person",
    "plural",
    "safely",
    "tried",
    "words",
]
