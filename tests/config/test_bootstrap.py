"""Three roles, none of which can do everything."""

import psycopg
import pytest

from config import bootstrap, embedded, env
from config.bootstrap import Login
from config.readers import ConfigurationError
from tests.config.places import short_directory


@pytest.fixture(scope="module")
def home():
    with short_directory() as directory:
        bootstrap.bootstrap_embedded(embedded.start_postgres(directory, durable=False))
        yield directory
        embedded.stop_postgres(directory)


def connect(home, role: str, database: str = env.DATABASE) -> psycopg.Connection:
    return psycopg.connect(env.embedded_postgres_url(home, role, database), autocommit=True)


@pytest.fixture
def owner(home):
    with connect(home, env.OWNER_ROLE) as connection:
        yield connection


@pytest.fixture
def application(home):
    with connect(home, env.APP_ROLE) as connection:
        yield connection


def test_the_application_uses_what_the_owner_makes(owner, application):
    owner.execute("CREATE TABLE IF NOT EXISTS things (id int GENERATED ALWAYS AS IDENTITY, v halfvec(3))")
    owner.execute("CREATE SCHEMA IF NOT EXISTS one_tenant")
    owner.execute("CREATE TABLE IF NOT EXISTS one_tenant.things (id int)")
    application.execute("INSERT INTO things (v) VALUES ('[1,2,3]')")
    application.execute("UPDATE things SET v = '[3,2,1]'")
    assert application.execute("SELECT v::text FROM things").fetchone() == ("[3,2,1]",)
    application.execute("DELETE FROM things")
    assert application.execute("SELECT count(*) FROM one_tenant.things").fetchone() == (0,)
    assert application.execute("SHOW search_path").fetchone() == ("public",)
    assert application.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("30s",)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "SET ROLE frontdesk_owner",
        "SET ROLE frontdesk_lookup",
        "SET ROLE postgres",
        "SELECT pg_read_file('postgresql.conf')",
    ],
)
def test_the_application_makes_and_becomes_nothing(application, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(statement)


def test_a_function_of_the_owner_is_closed_until_it_is_granted(owner, application):
    owner.execute("CREATE OR REPLACE FUNCTION answer() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 42")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute("SELECT answer()")
    owner.execute("ALTER FUNCTION answer() OWNER TO frontdesk_lookup")
    with owner.transaction():
        owner.execute("SET LOCAL ROLE frontdesk_lookup")
        owner.execute("GRANT EXECUTE ON FUNCTION answer() TO frontdesk_app")
    assert application.execute("SELECT answer()").fetchone() == (42,)


def test_the_look_up_role_cannot_log_in_and_the_owner_has_none_of_its_rights_by_itself(home):
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        connect(home, env.LOOKUP_ROLE)
    with connect(home, env.SUPERUSER_ROLE) as superuser:
        rows = superuser.execute(
            "SELECT member::regrole::text, roleid::regrole::text, inherit_option, set_option, admin_option"
            " FROM pg_auth_members WHERE roleid::regrole::text LIKE 'frontdesk%'"
        ).fetchall()
    assert rows == [("frontdesk_owner", "frontdesk_lookup", False, True, False)]


def test_running_it_again_takes_back_what_the_application_should_not_have(home):
    with connect(home, env.SUPERUSER_ROLE) as superuser:
        superuser.execute("GRANT frontdesk_owner TO frontdesk_app")
        superuser.execute("ALTER ROLE frontdesk_app CREATEDB BYPASSRLS")
        bootstrap.bootstrap_embedded(env.embedded_postgres_url(home, env.SUPERUSER_ROLE, "postgres"))
        assert superuser.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole,"
            " (SELECT count(*) FROM pg_auth_members WHERE member = r.oid)"
            " FROM pg_roles r WHERE rolname = 'frontdesk_app'"
        ).fetchone() == (False, False, False, False, 0)


def test_names_of_ones_own_and_passwords(home):
    superuser = env.embedded_postgres_url(home, env.SUPERUSER_ROLE, "postgres")
    bootstrap.bootstrap(
        superuser,
        application=Login("o'dd \"app", "p'w"),
        owner=Login("own er"),
        database='my "db"',
    )
    with psycopg.connect(superuser, dbname='my "db"') as connection:
        assert connection.execute(
            "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'"
        ).fetchone() == ('"own er"',)
        stored = connection.execute(
            "SELECT rolpassword FROM pg_authid WHERE rolname = %s", ["o'dd \"app"]
        ).fetchone()
    assert stored is not None
    assert stored[0].startswith("SCRAM-SHA-256$")


def test_a_role_that_may_not_is_refused_by_the_settings_name(home):
    url = env.embedded_postgres_url(home, env.OWNER_ROLE, env.DATABASE)
    with pytest.raises(ConfigurationError, match="DATABASE_SUPERUSER_URL names a role that may not"):
        bootstrap.bootstrap(url, application=Login("a"), owner=Login("b"), database="c")


def test_one_role_for_both_is_refused(home):
    url = env.embedded_postgres_url(home, env.SUPERUSER_ROLE, "postgres")
    with pytest.raises(ConfigurationError, match="the same role"):
        bootstrap.bootstrap(url, application=Login("a"), owner=Login("a"), database="c")


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(ConfigurationError, match="DATABASE_SUPERUSER_URL: the server cannot be reached"):
        bootstrap.bootstrap(
            "postgresql://u@127.0.0.1:1/d", application=Login("a"), owner=Login("b"), database="c"
        )
