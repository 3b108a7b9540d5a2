"""Everything at once: tenants, threads, async tasks, errors, savepoints, a small pool and killed backends.

Hypothesis writes the scripts; each is played by several threads over few pooled connections while backends are killed
under them. Whatever fails in between, no script ever sees a row, or leaves one, of a tenant but its own.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import psycopg
import pytest
from django.db import DatabaseError, InterfaceError, connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import env
from tenants.context import TenantContextError, TenantRef, acting_as, run_as
from tests import cast, servers
from tests.database import DEDICATED_SCHEMA
from widgets.models import Personality

pytestmark = pytest.mark.django_db(transaction=True)

SLUGS = ("acme", "bolt", "cargo", "dray", "ecru")
PLAYERS, POOL = 4, 6


class Mishap(Exception):
    """What goes wrong in the middle of somebody's work."""


STEPS = ("read", "write", "nest", "nest and fail", "error in SQL", "another's", "kill", "in a task", "fail")
script = st.tuples(st.integers(0, len(SLUGS) - 1), st.lists(st.sampled_from(STEPS), min_size=1, max_size=6))


@pytest.fixture
def stage(transactional_db):
    """Five tenants, one of them in a schema of its own, and connections that come out of a small pool."""
    tenants = [
        cast.tenant(slug, schema_name=DEDICATED_SCHEMA if slug == "cargo" else "pool") for slug in SLUGS
    ]
    refs = [TenantRef(tenant.pk, tenant.schema_name) for tenant in tenants]
    for ref, slug in zip(refs, SLUGS, strict=True):
        with acting_as(ref):
            Personality.objects.create(name=slug)
    connection.close()
    options = dict(connection.settings_dict["OPTIONS"])
    connection.settings_dict["OPTIONS"] = {
        **options,
        "pool": {"min_size": 0, "max_size": POOL, "timeout": 2},
    }
    yield refs
    connection.close_pool()
    connection.settings_dict["OPTIONS"] = options


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(scripts=st.lists(script, min_size=PLAYERS, max_size=PLAYERS * 3))
def test_nobody_ever_meets_another(stage, scripts):
    with ThreadPoolExecutor(PLAYERS) as players:
        foreign = list(chain(*players.map(lambda one: play(stage, *one), scripts)))
    assert foreign == []
    assert left_behind(stage) == []


def play(refs, index, steps):
    """Play one script for one tenant; every name it saw that is not its own."""
    met = []
    try:
        with acting_as(refs[index]):
            for step in steps:
                met += take(step, refs, index)
    except (Mishap, TenantContextError):
        pass
    except (DatabaseError, InterfaceError, psycopg.Error):
        pass  # a killed backend; the next script gets another
    finally:
        connection.close()
    if connection.tenant.schema_name != "public" or connection.in_atomic_block:
        met.append("a context left open")
    connections["default"].close()
    return met


def take(step, refs, index):
    mine, other = SLUGS[index], refs[(index + 1) % len(refs)]
    if step == "write":
        Personality.objects.update(description=f"{mine}'s")
    elif step == "nest":
        with acting_as(refs[index]):
            return seen(mine)
    elif step == "nest and fail":
        try:
            with transaction.atomic():
                Personality.objects.update(description="undone")
                raise Mishap
        except Mishap:
            pass
    elif step == "error in SQL":
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        except DatabaseError:
            pass
    elif step == "another's":
        try:
            with acting_as(other):
                return [f"{mine} entered another's context"]
        except TenantContextError:
            pass
    elif step == "kill":
        with psycopg.connect(servers.url(env.SUPERUSER_ROLE, "postgres"), autocommit=True) as superuser:
            superuser.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    elif step == "in a task":
        return asyncio.run(run_as(other, seen, SLUGS[(index + 1) % len(refs)]))
    elif step == "fail":
        raise Mishap
    return seen(mine)


def seen(mine):
    """Names and marks that are not `mine`; what is not there at all counts too."""
    rows = list(Personality.objects.values_list("name", "description"))
    strangers = [name for name, mark in rows if name != mine or mark not in ("", f"{mine}'s")]
    return strangers if rows else [f"{mine} sees nothing"]


def left_behind(refs):
    """Rows of a tenant that bear another's mark, and rows that nobody's context shows."""
    wrong = []
    for ref, slug in zip(refs, SLUGS, strict=True):
        with acting_as(ref):
            wrong += seen(slug)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pool.ai_personalities")
        wrong += ["rows without a tenant are seen"] * cursor.fetchone()[0]
    connection.close()
    return wrong
