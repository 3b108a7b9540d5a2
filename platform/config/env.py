"""The settings that say where the state and the services are: FRONTDESK_HOME, PostgreSQL, Redis, the keys.

Where DATABASE_URL or REDIS_URL is unset the embedded service is meant, whose URL follows from
FRONTDESK_HOME alone, so that a second terminal (`manage.py demo --show`) finds a running copy without being
told more. Only the two keys are ever written to the disk, once. The typed readers are in readers.py and
offered here too: `env.integer("PORT", 8000, 1, 65535)`.
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from config.readers import (
    ConfigurationError,
    choice,
    dollars,
    flag,
    integer,
    networks,
    secret,
    text,
    url,
    words,
)

__all__ = [
    "APP_ROLE", "CHECKOUT", "DATABASE", "LOOKUP_ROLE", "OWNER_ROLE", "SUPERUSER_ROLE", "ConfigurationError",
    "celery_url", "choice", "database", "database_owner_url", "database_url", "dollars", "embedded_postgres",
    "embedded_postgres_url", "embedded_redis", "embedded_redis_url", "encryption_keys", "flag", "home",
    "integer", "networks", "postgres_directory", "redis_socket", "redis_url", "secret", "secret_key",
    "storage_url", "text", "url", "words",
]  # fmt: skip

CHECKOUT = Path(__file__).resolve().parents[2]

APP_ROLE = "frontdesk_app"
OWNER_ROLE = "frontdesk_owner"
LOOKUP_ROLE = "frontdesk_lookup"
SUPERUSER_ROLE = "postgres"
DATABASE = "frontdesk"

# sun_path of Linux holds 108 bytes with its final NUL (unix(7)).
_LONGEST_SOCKET_PATH = 107
_POSTGRES_SOCKET = ".s.PGSQL.5432"
_POSTGRES_SCHEMES = ("postgresql", "postgres")
_REDIS_SCHEMES = ("redis", "rediss", "unix")


def embedded_postgres() -> bool:
    """True where no DATABASE_URL is set, so that `up` starts its own PostgreSQL."""
    return not (text("DATABASE_URL") or text("DATABASE_URL_FILE"))


def embedded_redis() -> bool:
    """True where no REDIS_URL is set, so that `up` starts its own Redis."""
    return not (text("REDIS_URL") or text("REDIS_URL_FILE"))


def home() -> Path:
    """FRONTDESK_HOME as an absolute path (default: .frontdesk in the checkout); not necessarily made yet.

    Raises ConfigurationError where an embedded service's socket in it would not fit a unix socket address.
    """
    path = Path(text("FRONTDESK_HOME", str(CHECKOUT / ".frontdesk"))).expanduser().absolute()
    longest = len(os.fsencode(path / "pg" / _POSTGRES_SOCKET))
    if longest > _LONGEST_SOCKET_PATH and (embedded_postgres() or embedded_redis()):
        raise ConfigurationError(
            f"FRONTDESK_HOME is {str(path)!r}: the unix sockets in it would have a path of {longest} bytes,"
            f" and the system allows {_LONGEST_SOCKET_PATH}; set FRONTDESK_HOME to a shorter path."
        )
    if path.exists() and not path.is_dir():
        raise ConfigurationError(f"FRONTDESK_HOME is {str(path)!r}: that is not a directory.")
    return path


def postgres_directory(state: Path) -> Path:
    """Data directory of the embedded PostgreSQL; its socket is in it too, so that mode 0700 guards both."""
    return state / "pg"


def redis_socket(state: Path) -> Path:
    return state / "redis.sock"


def embedded_postgres_url(state: Path, role: str, name: str = DATABASE) -> str:
    return f"postgresql://{role}@/{name}?host={quote(str(postgres_directory(state)), safe='')}"


def embedded_redis_url(state: Path) -> str:
    return f"unix://{quote(str(redis_socket(state)))}?db=0"


def database_url() -> str:
    """URL of the application role, which web, worker and beat use."""
    return url("DATABASE_URL", schemes=_POSTGRES_SCHEMES) or embedded_postgres_url(home(), APP_ROLE)


def database_owner_url() -> str:
    """URL of the owner, for migrations and `maintain`; '' where only DATABASE_URL was given."""
    given = url("DATABASE_OWNER_URL", schemes=_POSTGRES_SCHEMES)
    if given or not embedded_postgres():
        return given
    return embedded_postgres_url(home(), OWNER_ROLE)


def redis_url() -> str:
    """URL of Redis as redis-py and channels_redis read it."""
    return url("REDIS_URL", schemes=_REDIS_SCHEMES) or embedded_redis_url(home())


def celery_url(redis: str) -> str:
    """The same Redis as Celery's transport reads it: a unix socket has another scheme there."""
    parts = urlsplit(redis)
    if parts.scheme != "unix":
        return redis
    number = dict(parse_qsl(parts.query)).get("db", "0")
    credentials = parts.netloc if "@" in parts.netloc else ""
    return f"redis+socket://{credentials}{parts.path}?virtual_host={number}"


def database(location: str, *, setting: str = "DATABASE_URL", pooled: bool = True) -> dict[str, Any]:
    """Django's DATABASES entry for a PostgreSQL URL with libpq's query (`?host=/socket/dir&sslmode=…`).

    `pooled` gives each process a psycopg pool of at most DB_POOL_MAX connections, closed after DB_POOL_IDLE_S
    idle seconds; without it every thread has a connection of its own until its request ends.
    """
    try:
        parts = urlsplit(location)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"{setting} is not a valid URL: its port must be a number.") from None
    if parts.scheme not in _POSTGRES_SCHEMES:
        raise ConfigurationError(f"{setting} must begin with postgresql://.")
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise ConfigurationError(
            f"{setting} names no database: postgresql://user:password@host:5432/database."
        )
    if not parts.username:
        raise ConfigurationError(f"{setting} names no user: postgresql://user:password@host:5432/database.")
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    host = unquote(parts.hostname or "") or options.pop("host", "")
    options.pop("host", None)
    patience = integer("DB_CONNECT_TIMEOUT_S", 10, 1, 300)
    options["connect_timeout"] = patience
    if pooled:
        options["pool"] = {
            "min_size": 0,
            "max_size": integer("DB_POOL_MAX", 10, 1, 1000),
            "max_idle": integer("DB_POOL_IDLE_S", 20, 1, 86_400),
            "timeout": patience,
        }
    return {
        "ENGINE": "tenants.db",
        "NAME": name,
        "USER": unquote(parts.username),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(port or options.pop("port", "")),
        "OPTIONS": options,
        "CONN_MAX_AGE": 0,
        # One round trip per checkout of the pool; without it a restart of PostgreSQL costs one error per
        # connection that was idle in the pool.
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }


def storage_url(state: Path) -> str:
    """STORAGE_URL: the folder of uploaded files as file:///absolute/path; FRONTDESK_HOME/files where unset."""
    given = url("STORAGE_URL", schemes=("file",))
    if not given:
        return f"file://{quote(str(state / 'files'))}"
    parts = urlsplit(given)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ConfigurationError(
            "STORAGE_URL must be an absolute path on this machine: file:///var/lib/frontdesk."
        )
    return given


def secret_key() -> str:
    """Django's SECRET_KEY: as set, or made once and kept in FRONTDESK_HOME/secret_key (mode 0600)."""
    given = secret("SECRET_KEY")
    if given and len(given) < 32:
        raise ConfigurationError("SECRET_KEY is too short: it must have at least 32 characters.")
    return given or _kept_secret("secret_key")


def secret_key_fallbacks() -> tuple[str, ...]:
    """SECRET_KEY_FALLBACKS by commas: former keys whose signatures (visitors' tokens, links in letters, sign-ins) stay
    good until they are taken off the list."""
    former = tuple(key.strip() for key in secret("SECRET_KEY_FALLBACKS").split(",") if key.strip())
    if any(len(key) < 32 for key in former):
        raise ConfigurationError(
            "SECRET_KEY_FALLBACKS has a key that is too short: each must have at least 32 characters."
        )
    return former


def encryption_keys() -> tuple[str, ...]:
    """Keys that encrypt stored secrets: ENCRYPTION_KEYS by commas, newest first, older ones decrypt.

    Made once and kept in FRONTDESK_HOME/encryption_key (mode 0600) where unset.
    """
    given = tuple(key.strip() for key in secret("ENCRYPTION_KEYS").split(",") if key.strip())
    if any(len(key) < 32 for key in given):
        raise ConfigurationError(
            "ENCRYPTION_KEYS has a key that is too short: each must have at least 32 characters."
        )
    return given or (_kept_secret("encryption_key"),)


def _kept_secret(filename: str) -> str:
    path = home() / filename
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            kept = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            kept = ""
        if kept:
            return kept
        # Two processes may start at once: each writes a file of its own, the first to link it wins, and both
        # read that one.
        draft = path.with_name(f".{filename}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigurationError(
            f"FRONTDESK_HOME is {str(path.parent)!r}: {filename} cannot be kept there ({error.strerror})."
        ) from None
