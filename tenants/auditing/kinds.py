"""What the record calls things: in the API's words, so that an entry leads to what it is about."""

import re
from typing import Final

from django.db import models

CALLED: Final = {
    "tenants.user": "member",
    "tenants.tenant": "account",
    "billing.modelprice": "price",
}


def kind_of(model: type[models.Model] | models.Model) -> str:
    """`api_key` for ApiKey, `member` for User."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(model._meta.object_name)).lower()
    return CALLED.get(model._meta.label_lower, words)
