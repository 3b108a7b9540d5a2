"""EMAIL_URL: through which server mail is sent, and from which address."""

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from config.readers import ConfigurationError, url

EXAMPLE = "smtp://user:password@mail.example.com:587?tls=1&from=support@example.com"
PORTS = {"smtp": 587, "smtps": 465}


class MailServer(NamedTuple):
    """How to reach the server. `tls`: STARTTLS on an open connection (smtp), or TLS from its first byte (smtps)."""

    host: str
    port: int
    user: str
    password: str
    starttls: bool
    tls: bool
    sender: str


def mail_server() -> MailServer | None:
    """The server of EMAIL_URL, None where it is unset. Raises ConfigurationError for what it does not understand.

    Mail is encrypted on its way to the server unless `tls=0` is said.
    """
    given = url("EMAIL_URL", schemes=tuple(PORTS))
    if not given:
        return None
    parts = urlsplit(given)
    asked = parse_qs(parts.query, keep_blank_values=True)
    tls, sender = asked.pop("tls", ["1"])[-1], asked.pop("from", [""])[-1]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not parts.hostname or parts.path.strip("/") or parts.fragment or asked:
        raise ConfigurationError(f"EMAIL_URL must look like {EXAMPLE}, with nothing else in it.")
    if tls not in ("0", "1"):
        raise ConfigurationError("EMAIL_URL has a tls that is neither 1 (STARTTLS, the default) nor 0.")
    if bool(user) != bool(password):
        raise ConfigurationError("EMAIL_URL must have a user and a password, or neither.")
    sender = sender or (user if "@" in user else f"frontdesk@{parts.hostname}")
    if sender.count("@") != 1 or any(sign.isspace() or sign in "<>,;" for sign in sender):
        raise ConfigurationError("EMAIL_URL has a from that is no plain address such as support@example.com.")
    is_tls = parts.scheme == "smtps"
    return MailServer(
        host=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        user=user,
        password=password,
        starttls=tls == "1" and not is_tls,
        tls=is_tls,
        sender=sender,
    )
