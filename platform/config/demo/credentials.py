"""The demo's logins and keys: made by each install for itself, kept in FRONTDESK_HOME/demo.json for its operator only.

The database holds hashes; this file is the one place where the passwords can be read.
"""

import json
import os
from pathlib import Path
from typing import Final, TypedDict

FILE: Final = "demo.json"


class Login(TypedDict):
    """One demo tenant's ways in. `origin` is a website its widget allows; the key has every scope."""

    slug: str
    plan: str
    email: str
    password: str
    api_key: str
    widget_key: str
    origin: str


def keep(home: Path, logins: list[Login]) -> None:
    """Write the logins, readable by this user alone, whole or not at all."""
    draft = home / f".{FILE}.new"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(logins, file, indent=1)
    draft.replace(home / FILE)


def kept(home: Path) -> list[Login]:
    """The logins; empty where the demo has not been installed."""
    try:
        logins: list[Login] = json.loads((home / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return logins
