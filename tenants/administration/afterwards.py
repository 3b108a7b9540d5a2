"""Pages that ask a provider. No transaction is open while one is waited for, and a page of the admin is one."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from django.http import StreamingHttpResponse
from django.template.loader import render_to_string

from kernel.errors import FrontdeskError, ProviderError
from tenants.context import TenantRef, require_tenant

logger = logging.getLogger(__name__)


def afterwards(template: str, make: Callable[[TenantRef], dict[str, Any]]) -> StreamingHttpResponse:
    """A piece of a page whose context `make` works out for the acting tenant once the request's own transaction has
    ended: the server reads the body after the middleware is done. What is refused or fails is said in that piece.
    """
    tenant = require_tenant()

    def body() -> Iterator[str]:
        yield render_to_string(template, _context(tenant, make))

    response = StreamingHttpResponse(body(), content_type="text/html; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response


def _context(tenant: TenantRef, make: Callable[[TenantRef], dict[str, Any]]) -> dict[str, Any]:
    try:
        return make(tenant)
    except ProviderError as error:
        return {
            "problem": f"The AI provider did not answer ({error.code.replace('_', ' ')}). Try again in a moment."
        }
    except FrontdeskError as error:
        return {"problem": error.detail}
    except Exception:
        # The headers are sent: an error page is no longer possible.
        logger.exception("a piece of an admin page failed")
        return {"problem": "Something went wrong on our side. It is in the log."}
