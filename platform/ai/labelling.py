"""The name of a model as metrics may show it."""

from functools import lru_cache
from typing import Final

from django.conf import settings

from ai.configuration import specs_in
from ai.prices import lookup
from kernel.clock import now

OTHER: Final = "other"


@lru_cache(maxsize=1024)
def model_label(provider: str, model: str) -> str:
    """`model` where it is the operator's choice or in the public price list, else "other".

    Tenants choose models too, and the name of a fine-tuned one may be a customer's.
    """
    chosen = {*specs_in(settings.LLM_MODEL), settings.EMBEDDING_MODEL}
    return model if f"{provider}:{model}" in chosen or lookup(provider, model, now()) is not None else OTHER
