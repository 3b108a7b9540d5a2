"""The isolation report: a signed statement of what keeps tenants apart in the running installation.

Everything in it is asked of the running database, the loaded code and the last canary round, when it is made. It is
signed with Ed25519 by a key that only this installation can derive, so that what is handed on cannot be edited unseen.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import connection

from config.health import visible_without_tenant
from config.isolation import doors
from kernel.clock import now
from tenants import canaries, roles
from tenants.catalogue import digest, facts
from tenants.lookup import LOOKUPS
from tenants.placement import DIRECTORY, UNOWNED

FORMAT: Final = 1
ALGORITHM: Final = "ed25519"
_PURPOSE: Final = b"frontdesk isolation report"

GUARDS: Final = """
    SELECT n.nspname AS schema, c.relname AS name, c.relispartition AS is_partition,
           c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
           array(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid ORDER BY 1) AS policies,
           (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f'
              AND k.conname LIKE '%%same\\_tenant') AS same_tenant_keys
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT n.nspname LIKE 'pg\\_%%'
    ORDER BY 1, 2
"""


def make(mutants: Path | None = None) -> dict[str, Any]:
    """The signed report: `{"statement": {...}, "signature": {"algorithm", "public_key", "value"}}`.

    `mutants` is the file that `make isolation-mutants` wrote; without one the report says that none was given.
    """
    statement = _statement(mutants)
    key = _signing_key(settings.SECRET_KEY)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {
        "statement": statement,
        "signature": {
            "algorithm": ALGORITHM,
            "public_key": _text(public),
            "value": _text(key.sign(_canonical(statement))),
        },
    }


def is_genuine(report: dict[str, Any]) -> bool:
    """Whether this installation signed exactly this report, under its SECRET_KEY or one of SECRET_KEY_FALLBACKS."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(_is_signed_under(key, report) for key in keys)


def _is_signed_under(secret_key: str, report: dict[str, Any]) -> bool:
    try:
        signature = report["signature"]
        own = _signing_key(secret_key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        if signature["algorithm"] != ALGORITHM or signature["public_key"] != _text(own):
            return False
        key = Ed25519PublicKey.from_public_bytes(own)
        key.verify(base64.b64decode(signature["value"]), _canonical(report["statement"]))
    except (InvalidSignature, KeyError, TypeError, ValueError):
        return False
    return True


def _statement(mutants: Path | None) -> dict[str, Any]:
    tables = _tables()
    checks = {
        "roles and guards": roles.problems(),
        "rows without a tenant": [found] if (found := visible_without_tenant()) else [],
        "canaries": canaries.breaches(),
    }
    return {
        "format": FORMAT,
        "made_at": now().isoformat(),
        "installation": settings.BASE_URL,
        "holds": not any(checks.values()),
        "checks": checks,
        "database": _database(),
        "tables": tables,
        "directory": DIRECTORY,
        "libraries": UNOWNED,
        "look_ups": LOOKUPS,
        "doors": {
            "urls": [{"route": door.route, "methods": list(door.methods)} for door in doors.urls()],
            "admin_pages": len(doors.admin_pages()),
            "admin_models": doors.admin_models(),
            "frames": doors.frames(),
            "tasks": doors.tasks(),
        },
        "canaries": canaries.last_round(),
        "mutants": _mutants(mutants),
    }


def _tables() -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(GUARDS)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_database(), current_setting('server_version'), rolname, rolsuper, rolbypassrls "
            "FROM pg_roles WHERE rolname = current_user"
        )
        name, version, role, is_superuser, bypasses = cursor.fetchone()
    return {
        "name": name,
        "version": version,
        "role": role,
        "role_is_superuser": is_superuser,
        "role_bypasses_policies": bypasses,
        "guards_digest": digest(facts("pool")),
    }


def _mutants(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    run: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return run | {"same_guards_as_here": run["guards_digest"] == digest(facts("pool"))}


def _signing_key(secret_key: str) -> Ed25519PrivateKey:
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret_key.encode())
    return Ed25519PrivateKey.from_private_bytes(seed)


def _canonical(statement: dict[str, Any]) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def fingerprint(report: dict[str, Any]) -> str:
    """The statement's SHA-256, for a person to compare."""
    return hashlib.sha256(_canonical(report["statement"])).hexdigest()
