"""What only a superuser may do, once per database: roles, the database, the vector extension, grants.

Migrations never need a superuser; everything that does is here. Every statement may be run again.

Three roles, so that no one of them can do everything:
- the application's role reads and writes rows under row-level security; it owns nothing and is a member of nothing;
- the owner runs migrations and `maintain`; only these processes ever hold its URL;
- the look-up role cannot log in. It owns the SECURITY DEFINER functions that answer before a tenant is known. The
  owner may hand functions to it (SET) but has none of its rights by itself (INHERIT FALSE).
"""

from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from config import env
from config.readers import ConfigurationError

_SERVER_MINIMUM = 180_000  # libpq's numbering: PostgreSQL 18
_VECTOR_MINIMUM = (0, 7)  # halfvec, bit and their distance operators came with pgvector 0.7


@dataclass(frozen=True, slots=True)
class Login:
    """A role that logs in; without a password the server's own rules (trust, peer, certificates) let it in."""

    name: str
    password: str = ""


def bootstrap(superuser_url: str, *, application: Login, owner: Login, database: str) -> None:
    """Make `database` ready for migrations by `owner` and for service as `application`; idempotent.

    `superuser_url` may name any database of the server. Raises ConfigurationError where the role is not allowed to do
    this or the server lacks pgvector.
    """
    try:
        with psycopg.connect(superuser_url, autocommit=True, connect_timeout=10) as connection:
            if connection.info.server_version < _SERVER_MINIMUM:
                raise ConfigurationError("DATABASE_SUPERUSER_URL is a PostgreSQL older than 18: upgrade it.")
            _make_roles(connection, application, owner)
            _make_database(connection, application, owner, database)
        with psycopg.connect(superuser_url, dbname=database, connect_timeout=10) as connection:
            _prepare_database(connection, application, owner)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"DATABASE_SUPERUSER_URL names a role that may not prepare the database: {error.diag.message_primary}."
        ) from None
    except psycopg.errors.FeatureNotSupported as error:
        raise ConfigurationError(f"This PostgreSQL has no pgvector: {error.diag.message_primary}.") from None
    except psycopg.OperationalError as error:
        raise ConfigurationError(f"DATABASE_SUPERUSER_URL: the server cannot be reached ({error}).") from None


def bootstrap_embedded(superuser_url: str) -> None:
    """`bootstrap` with the names the embedded PostgreSQL uses."""
    bootstrap(
        superuser_url,
        application=Login(env.APP_ROLE),
        owner=Login(env.OWNER_ROLE),
        database=env.DATABASE,
    )


def make_roles_and_database(superuser_url: str, database: str = env.DATABASE) -> None:
    """The embedded PostgreSQL's roles and an empty database, for a dump that names them to be restored into."""
    application, owner = Login(env.APP_ROLE), Login(env.OWNER_ROLE)
    with psycopg.connect(superuser_url, autocommit=True, connect_timeout=10) as connection:
        _make_roles(connection, application, owner)
        _make_database(connection, application, owner, database)


def _make_roles(connection: psycopg.Connection, application: Login, owner: Login) -> None:
    if application.name == owner.name:
        raise ConfigurationError("DATABASE_URL and DATABASE_OWNER_URL name the same role: they must be two.")
    for role, attributes in (
        (application, "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"),
        (owner, "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"),
        (Login(env.LOOKUP_ROLE), "NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"),
    ):
        name = sql.Identifier(role.name)
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role.name]).rowcount:
            # Another start may make it at this moment.
            with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE ROLE {}").format(name))
        connection.execute(sql.SQL("ALTER ROLE {} " + attributes).format(name))
        if role.password:
            # Hashed here, so that the password itself never reaches the server's log.
            hashed = connection.pgconn.encrypt_password(
                role.password.encode(), role.name.encode(), b"scram-sha-256"
            )
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, hashed.decode()))
        connection.execute(sql.SQL("ALTER ROLE {} SET search_path = public").format(name))
    # A transaction left open holds back the fold of the cost ledger and every cleanup of PostgreSQL.
    connection.execute(
        sql.SQL("ALTER ROLE {} SET idle_in_transaction_session_timeout = '30s'").format(
            sql.Identifier(application.name)
        )
    )
    # Our statements run for milliseconds: compiling one would cost more than it can save.
    connection.execute(sql.SQL("ALTER ROLE {} SET jit = off").format(sql.Identifier(application.name)))
    _revoke_memberships(connection, application.name)
    connection.execute(
        sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE, ADMIN FALSE").format(
            sql.Identifier(env.LOOKUP_ROLE), sql.Identifier(owner.name)
        )
    )


def _revoke_memberships(connection: psycopg.Connection, name: str) -> None:
    """Take the application's role out of every role: whatever it was once granted would pass by its own grants."""
    memberships = connection.execute(
        """
        SELECT parent.rolname, grantor.rolname
        FROM pg_auth_members m
        JOIN pg_roles member ON member.oid = m.member
        JOIN pg_roles parent ON parent.oid = m.roleid
        JOIN pg_roles grantor ON grantor.oid = m.grantor
        WHERE member.rolname = %s
        """,
        [name],
    ).fetchall()
    for parent, grantor in memberships:
        connection.execute(
            sql.SQL("REVOKE {} FROM {} GRANTED BY {}").format(
                sql.Identifier(parent), sql.Identifier(name), sql.Identifier(grantor)
            )
        )


def _make_database(connection: psycopg.Connection, application: Login, owner: Login, database: str) -> None:
    name = sql.Identifier(database)
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(owner.name)))
    # CONNECT and TEMPORARY go to PUBLIC by default.
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    connection.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(application.name))
    )
    # Schemas of dedicated tenants are made by `maintain`.
    connection.execute(
        sql.SQL("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}").format(
            name, sql.Identifier(owner.name)
        )
    )


def _prepare_database(connection: psycopg.Connection, application: Login, owner: Login) -> None:
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    version = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if version is None or tuple(int(part) for part in version[0].split(".")[:2]) < _VECTOR_MINIMUM:
        raise ConfigurationError(
            "This PostgreSQL has a pgvector older than 0.7, which has no halfvec: upgrade it."
        )
    roles = {
        "app": sql.Identifier(application.name),
        "owner": sql.Identifier(owner.name),
        "lookup": sql.Identifier(env.LOOKUP_ROLE),
    }
    for statement in (
        "ALTER SCHEMA public OWNER TO {owner}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO {app}",
        # ALTER FUNCTION … OWNER TO asks for CREATE of the new owner. The role cannot log in and its functions
        # are fixed by migrations, so nobody makes anything through it.
        "GRANT USAGE, CREATE ON SCHEMA public TO {lookup}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT USAGE ON SCHEMAS TO {app}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT USAGE, SELECT ON SEQUENCES TO {app}",
        # A SECURITY DEFINER function would be open to everyone otherwise; migrations grant each by name.
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    ):
        connection.execute(sql.SQL(statement).format(**roles))
