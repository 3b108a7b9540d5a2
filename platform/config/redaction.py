"""Takes secrets out of what leaves the process as a log line or an error report.

Nothing of ours logs a secret. But libraries quote URLs, providers quote keys and PostgreSQL quotes rows, so every line
passes here: values whose name says that they are secret go whole, and what looks like a secret goes from any text.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

REDACTED: Final = "[redacted]"
SHORTEST_SECRET: Final = 8
DEEPEST: Final = 6
SECRET_NAMES: Final = re.compile(
    r"authorization|cookie|password|passwd|secret|api[_-]?key|private[_-]?key|(?:^|_)dsn$|ticket|csrf"
    r"|(?:visitor|access|refresh|session|identity|id)[_-]?token|^token$|^key$|^identity$",
    re.IGNORECASE,
)
# Each keeps what says which kind of secret was there.
PATTERNS: Final = (
    (re.compile(r"(?<=://)[^/\s:@'\"]*:[^/\s@'\"]+(?=@)"), REDACTED),  # a URL's user and password
    (re.compile(r"\b(fd_sk_)[\w-]{8,}"), rf"\1{REDACTED}"),  # our API keys
    (re.compile(r"\b((?:sk|rk|pa|whsec)[-_](?:live|test|proj|ant|or)?[-_]?)[\w-]{20,}"), rf"\1{REDACTED}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=:-]{8,}"), rf"\1 {REDACTED}"),
    (re.compile(r"(?i)\b((?:ticket|token|password|secret|api_?key|signature)=)[^&\s'\"]+"), rf"\1{REDACTED}"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]{5,}"), REDACTED),  # a JSON Web Token
    (
        re.compile(r"\b[\w-]{16,}:[0-9A-Za-z]{5,8}:[\w-]{43}"),
        REDACTED,
    ),  # Django's signed values: visitor tokens
    (re.compile(r"(?i)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*", re.DOTALL), rf"\1{REDACTED}"),
    # PostgreSQL quotes rows and keys: whatever is stored may be in them.
    (re.compile(r"(Failing row contains |Key \([^)]*\)=)\([^\n]*\)"), rf"\1({REDACTED})"),
)
# Most texts hold none of these and need no pattern to be tried: looking for a word costs a fiftieth of a pattern.
MARKS: Final = (
    "://", "fd_sk_", "sk-", "sk_", "rk_", "pa-", "whsec", "bearer", "basic", "eyj", "ticket=", "token=", "password=",
    "secret=", "api_key=", "apikey=", "signature=", "private key", "failing row", "key (",
)  # fmt: skip
SIGNED_FROM: Final = 64
"""Characters of the shortest value that Django signs; it has two colons."""


class Redactor:
    """Knows the patterns above, and the secrets of this process word by word."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        words = {word for word in known if len(word) >= SHORTEST_SECRET}
        self._known = sorted(words, key=len, reverse=True)

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for word in self._known:
            if word in text:
                text = text.replace(word, REDACTED)
        if _is_suspicious(text):
            for pattern, instead in PATTERNS:
                text = pattern.sub(instead, text)
        return text

    def value(self, value: Any, name: str = "", depth: int = 0) -> Any:
        """`value` without secrets, inside lists and mappings too; anything but plain data becomes text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if name and _is_secret_name(name):
            return REDACTED
        if isinstance(value, str):
            return self.text(value)
        if depth >= DEEPEST:
            return "…"
        if isinstance(value, Mapping):
            return {
                self.text(str(key)): self.value(inner, str(key), depth + 1) for key, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(inner, "", depth + 1) for inner in value]
        return self.text(str(value))


def _is_suspicious(text: str) -> bool:
    lowered = text.lower()
    for mark in MARKS:
        if mark in lowered:
            return True
    return len(text) >= SIGNED_FROM and text.count(":") > 1


@lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    return SECRET_NAMES.search(name) is not None


def known_secrets(settings: Any) -> set[str]:
    """The secrets that Django's settings hold, and the passwords in their URLs."""
    found = {settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS, *settings.ENCRYPTION_KEYS}
    for name in dir(settings):
        value = getattr(settings, name, None)
        if isinstance(value, str) and re.search(
            r"_(API_KEY|SECRET|SECRET_KEY|TOKEN|DSN)$|^SECRET_KEY$", name
        ):
            found.add(value)
        elif isinstance(value, str) and name.endswith("_URL") and "@" in value:
            found |= _password(value)
    for database in (settings.DATABASES["default"], settings.DATABASE_OWNER):
        if database and database["PASSWORD"]:
            found |= {database["PASSWORD"], quote(database["PASSWORD"], safe="")}
    return found


def _password(url: str) -> set[str]:
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return set()
    return {password, unquote(password)}
