"""`make isolation-mutants`: weaken the boundary in one place at a time, and see that a behavioural test notices.

The catalogue walk and the start-up check take no part: only what a tenant can then read, write or point at counts
(`tests.isolation.probing`). Prints every mutant with what caught it, and ends with 1 when one survived.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import django

ROOT: Final = Path(__file__).resolve().parents[2]
RESULT: Final = ROOT / ".check" / "mutants.json"
sys.path.insert(0, str(ROOT / "platform"))

POLICIES: Final = """
    SELECT schemaname, tablename, policyname, array_to_string(roles, ', '), cmd, qual, with_check
    FROM pg_policies WHERE schemaname = ANY(%s) ORDER BY 1, 2, 3
"""
TABLES: Final = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND n.nspname = ANY(%s) ORDER BY 1, 2
"""
KEYS: Final = """
    SELECT n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND k.conparentid = 0 AND array_length(k.conkey, 1) = 2
      AND n.nspname = ANY(%s)
    ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One weakening, how it is undone, and the table it is about (None: the role)."""

    name: str
    table: str | None
    weaken: str
    restore: str


def mutants(superuser) -> Iterator[Mutant]:
    """Every mutant of the database as it stands: policies, FORCE, row-level security, keys, the role."""
    from tests.isolation.probing import APPEND_ONLY, SCHEMAS

    yield from _of_roles()
    for schema, table in superuser.execute(TABLES, [list(SCHEMAS)]).fetchall():
        place = f'"{schema}"."{table}"'
        for what, off, on in (
            ("no FORCE", "NO FORCE", "FORCE"),
            ("row-level security off", "DISABLE", "ENABLE"),
        ):
            yield Mutant(
                f"{schema}.{table}: {what}",
                table,
                f"ALTER TABLE {place} {off} ROW LEVEL SECURITY",
                f"ALTER TABLE {place} {on} ROW LEVEL SECURITY",
            )
        for right in ("UPDATE", "DELETE", "TRUNCATE") if table in APPEND_ONLY else ():
            yield Mutant(
                f"{schema}.{table}: the application has {right}",
                table,
                f"GRANT {right} ON {place} TO frontdesk_app",
                f"REVOKE {right} ON {place} FROM frontdesk_app",
            )
    for row in superuser.execute(POLICIES, [list(SCHEMAS)]).fetchall():
        yield from _of_policy(*row)
    for schema, table, name, definition in superuser.execute(KEYS, [list(SCHEMAS)]).fetchall():
        yield from _of_key(schema, table, name, definition)


def _of_roles() -> Iterator[Mutant]:
    for attribute in ("BYPASSRLS", "SUPERUSER"):
        yield Mutant(
            f"the application's role has {attribute}",
            None,
            f"ALTER ROLE frontdesk_app {attribute}",
            f"ALTER ROLE frontdesk_app NO{attribute}",
        )
    yield Mutant(
        "the application's role is a member of the look-up role",
        None,
        "GRANT frontdesk_lookup TO frontdesk_app",
        "REVOKE frontdesk_lookup FROM frontdesk_app",
    )


def _of_policy(
    schema: str, table: str, name: str, roles: str, command: str, using: str | None, check: str | None
) -> Iterator[Mutant]:
    place, policy = f'"{schema}"."{table}"', f'"{name}"'
    label = f"{schema}.{table}: policy {name}"
    made = f"CREATE POLICY {policy} ON {place} FOR {command} TO {roles}"
    made += f" USING ({using})" if using else ""
    made += f" WITH CHECK ({check})" if check else ""
    yield Mutant(f"{label} dropped", table, f"DROP POLICY {policy} ON {place}", made)
    if using and using != "true":
        yield Mutant(
            f"{label} USING (true)",
            table,
            f"ALTER POLICY {policy} ON {place} USING (true)",
            f"ALTER POLICY {policy} ON {place} USING ({using})",
        )
    if check:
        yield Mutant(
            f"{label} WITH CHECK (true)",
            table,
            f"ALTER POLICY {policy} ON {place} WITH CHECK (true)",
            f"ALTER POLICY {policy} ON {place} WITH CHECK ({check})",
        )
    if roles != "public":
        yield Mutant(
            f"{label} for everybody",
            table,
            f"ALTER POLICY {policy} ON {place} TO public",
            f"ALTER POLICY {policy} ON {place} TO {roles}",
        )


def _of_key(schema: str, table: str, name: str, definition: str) -> Iterator[Mutant]:
    place = f'"{schema}"."{table}"'
    drop = f'ALTER TABLE {place} DROP CONSTRAINT "{name}"'
    # The definition names its parent as this search path sees it.
    path = f"SET search_path = '{schema}', public; "
    add = f'{path}ALTER TABLE {place} ADD CONSTRAINT "{name}" {definition}; RESET search_path'
    plain = definition.replace("(tenant_id, ", "(")
    yield Mutant(f"{schema}.{table}: key {name} dropped", table, drop, add)
    yield Mutant(
        f"{schema}.{table}: key {name} without the tenant",
        table,
        f'{path}{drop}; ALTER TABLE {place} ADD CONSTRAINT "{name}" {plain}; RESET search_path',
        f"{drop}; {add}",
    )


def run() -> int:
    """Try every mutant in a database of its own; the number that survived."""
    from tests import database
    from tests.isolation import stage
    from tests.isolation.probing import Prober

    name = database.clone(SimpleNamespace(unblock=nullcontext))
    try:
        with database.superuser(name) as superuser:
            prober = Prober(name, stage.furnish(superuser))
            unprovoked = list(prober.escapes())
            assert not unprovoked, f"the boundary is open before anything is weakened: {unprovoked}"
            began, survivors, tried = time.monotonic(), 0, 0
            for mutant in list(mutants(superuser)):
                superuser.execute(mutant.weaken)
                caught = next(prober.escapes(first=mutant.table), None)
                superuser.execute(mutant.restore)
                tried, survivors = tried + 1, survivors + (caught is None)
                print(
                    f"{'caught  ' if caught else 'SURVIVED'}  {mutant.name}"
                    + (f"  <- {caught}" if caught else "")
                )
            left = list(prober.escapes())
            assert not left, f"a mutant was not undone: {left}"
            prober.close()
        print(f"{tried} mutants, {survivors} survived, {time.monotonic() - began:.0f} s")
        _keep(tried, survivors)
        return survivors
    finally:
        from django.db import connections

        connections.close_all()
        database.drop(name)


def _keep(tried: int, survived: int) -> None:
    """For `manage.py isolation_report --mutants`, with what tells whether another database is guarded alike."""
    from kernel.clock import now
    from tenants.catalogue import digest, facts

    RESULT.parent.mkdir(exist_ok=True)
    result = {
        "at": now().isoformat(),
        "tried": tried,
        "survived": survived,
        "guards_digest": digest(facts("pool")),
    }
    RESULT.write_text(json.dumps(result) + "\n", encoding="utf-8")


def main() -> int:
    """The program: services of its own, Django set up as for the tests."""
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from tests import servers

    with servers.running():
        return 1 if run() else 0


if __name__ == "__main__":
    sys.exit(main())
