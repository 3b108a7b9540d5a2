"""What a program is told when something other than a view of ours refuses its request.

Django answers a wrong method, a missing CSRF token or an error of its own with a page or with nothing. On the paths
that programs call, such an answer becomes a problem of the same status; its headers, Allow among them, stay.
"""

from typing import Final

from django.http.response import HttpResponseBase

from config.on_answers import on_answers
from tenants.rest import problems

# The widget runs on the customer's page, which must be able to read why.
READ_BY_OTHER_ORIGINS: Final = "/widget"
ITS_OWN: Final = frozenset({"Content-Type", "Content-Length"})


def caught(path: str, response: HttpResponseBase) -> HttpResponseBase:
    """The refusal as a problem, where a program gets it and it is none yet."""
    if response.status_code < 400:
        return response
    kind = response.get("Content-Type", "")
    if not problems.for_programs(path) or kind.startswith((problems.CONTENT_TYPE, "application/json")):
        return response
    told = problems.of_status(response.status_code)
    for name, value in response.items():
        if name not in ITS_OWN:
            told[name] = value
    if path.startswith(READ_BY_OTHER_ORIGINS):
        told.setdefault("Access-Control-Allow-Origin", "*")
    response.close()
    return told


middleware = on_answers(caught)
