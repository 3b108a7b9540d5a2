"""A web page as a file: one address asked for through the one way out, and what came back named for what it is."""

from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from kernel.errors import InvalidInput
from kernel.outbound import Limits, OutboundError, Reply, fetch
from knowledge.files.recognising import EXTENSIONS, MAX_FILE, MEDIA_TYPES, READ, clean_name

LIMITS: Final = Limits(size=MAX_FILE, seconds=20)
ACCEPTED: Final = (
    "text/html,application/xhtml+xml,application/pdf,text/markdown,text/plain,text/csv;q=0.9,*/*;q=0.1"
)
MANY_REQUESTS: Final = 429
EXTENSION_BY_TYPE: Final = {
    **{MEDIA_TYPES[kind]: extension for extension, kind in reversed(EXTENSIONS.items())},
    "application/xhtml+xml": "html",
    "text/tab-separated-values": "tsv",
    "text/x-markdown": "md",
}


class Page(NamedTuple):
    """What an address holds: bytes with a file's name, and the encoding that the server says they are in."""

    name: str
    data: bytes
    charset: str


def fetch_page(url: str) -> Page:
    """Ask for `url`. Call it outside any transaction: it may take LIMITS.seconds.

    Raises OutboundError, retryable where the page may be there later, and InvalidInput on `url` with the reason where
    it is not, or holds nothing that is read.
    """
    reply = fetch(url, headers={"Accept": ACCEPTED}, limits=LIMITS)
    if reply.status == MANY_REQUESTS or reply.status >= 500:
        raise OutboundError(
            f"The page answers with status {reply.status}.", code="unreachable", retryable=True
        )
    if reply.status != 200:
        raise InvalidInput.of("url", f"the page answers with status {reply.status}, not with a text")
    if not reply.body:
        raise InvalidInput.of("url", "the page is empty")
    media_type, _, parameters = reply.headers.get("content-type", "").partition(";")
    return Page(_name(reply, media_type.strip().lower()), reply.body, _charset(parameters))


def _name(reply: Reply, media_type: str) -> str:
    """A file's name with the extension of what came: the server's word, else the address's, else the content's."""
    parts = urlsplit(reply.url)
    last = clean_name(unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.hostname or "page")
    stem, _, extension = last.rpartition(".")
    told = EXTENSION_BY_TYPE.get(media_type)
    if told is None and media_type not in ("", "application/octet-stream", "binary/octet-stream"):
        raise InvalidInput.of("url", f"the page is {media_type[:60]}; read are {READ}")
    if told == "txt" and extension.lower() in EXTENSIONS:
        return last  # servers send markdown and tables as plain text
    if told is not None:
        return clean_name(f"{stem if extension.lower() in EXTENSIONS else last}.{told}")
    if extension.lower() in EXTENSIONS:
        return last
    start = reply.body[:1024].lstrip()
    return f"{last}.{'pdf' if start.startswith(b'%PDF-') else 'html' if start.startswith(b'<') else 'txt'}"


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")[:40]
    return ""
