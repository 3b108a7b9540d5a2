"""What PostgreSQL's own catalogue says of our schemas: read by schema_check and by the isolation tests."""

import hashlib
import re
from typing import Final, NamedTuple

from django.db import connection

from tenants.partitions import default_partition, tenant_of

# One line per thing that migrations promise, the same in every schema that keeps the promise.
FACTS: Final = """
SELECT 'table', c.relname, '',
       concat_ws(' ', c.relkind::text, 'rls=' || c.relrowsecurity, 'force=' || c.relforcerowsecurity)
FROM pg_class c WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p')
UNION ALL
SELECT 'column', c.relname, a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), 'not null=' || a.attnotnull,
                 'default=' || pg_get_expr(d.adbin, d.adrelid), 'storage=' || a.attstorage::text)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'index', tablename, indexname, replace(indexdef, schemaname || '.', '')
FROM pg_indexes WHERE schemaname = %(schema)s
UNION ALL
SELECT 'constraint', c.relname, k.conname, replace(pg_get_constraintdef(k.oid), %(schema)s || '.', '')
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE c.relnamespace = %(schema)s::regnamespace
UNION ALL
SELECT 'policy', tablename, policyname, concat_ws(' ', cmd, roles::text, 'using ' || qual, 'check ' || with_check)
FROM pg_policies WHERE schemaname = %(schema)s
UNION ALL
SELECT 'function', p.proname, pg_get_function_identity_arguments(p.oid),
       concat_ws(' ', pg_get_userbyid(p.proowner), 'definer=' || p.prosecdef, md5(p.prosrc))
FROM pg_proc p WHERE p.pronamespace = %(schema)s::regnamespace
  AND NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.objid = p.oid AND x.deptype = 'e')
UNION ALL
SELECT 'trigger', c.relname, t.tgname, replace(pg_get_triggerdef(t.oid), %(schema)s || '.', '')
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = %(schema)s::regnamespace AND NOT t.tgisinternal
UNION ALL
SELECT 'grant', table_name, grantee || ' ' || privilege_type, ''
FROM information_schema.table_privileges WHERE table_schema = %(schema)s
"""


CASTS: Final = re.compile(r"::character varying(\(\d+\))?(\[\])?|::text(\[\])?|[() ]")


class Fact(NamedTuple):
    """One thing that is so: what kind, of which table or function, under which name, and its definition."""

    kind: str
    of: str
    name: str
    definition: str


def facts(schema: str) -> frozenset[Fact]:
    """Everything that stands in a schema."""
    with connection.cursor() as cursor:
        cursor.execute(FACTS, {"schema": schema})
        return frozenset(_plain(Fact(*row)) for row in cursor.fetchall())


def difference(promised: frozenset[Fact], found: frozenset[Fact]) -> list[str]:
    """What is missing, and what is there that was not promised; a line each, sorted.

    maintain gives large tenants partitions and vector indexes that no migration promises. A partition of one tenant
    must be what the default partition of its table is promised to be; an HNSW index may be there or not.
    """
    promised = _of_migrations(promised)
    own = {fact.of for fact in found if tenant_of(fact.of)}
    lines = _lines(promised, _of_migrations(found))
    for name in own:
        model = default_partition(tenant_of(name)[0])  # type: ignore[index]  # it has one, or it were not in `own`
        there = frozenset(fact for fact in found if not _is_graph(fact))
        lines += _lines(_as_partition(promised, model, name), _as_partition(there, name, name))
    return sorted(lines, key=lambda line: line[2:])


def _lines(promised: frozenset[Fact], found: frozenset[Fact]) -> list[str]:
    missing = [f"- {fact.kind} {fact.of} {fact.name} {fact.definition}".rstrip() for fact in promised - found]
    extra = [f"+ {fact.kind} {fact.of} {fact.name} {fact.definition}".rstrip() for fact in found - promised]
    return missing + extra


def _of_migrations(standing: frozenset[Fact]) -> frozenset[Fact]:
    return frozenset(fact for fact in standing if not _is_graph(fact) and tenant_of(fact.of) is None)


def _is_graph(fact: Fact) -> bool:
    return fact.kind == "index" and fact.name == f"{fact.of}_hnsw" and " USING hnsw " in fact.definition


def _as_partition(facts: frozenset[Fact], table: str, name: str) -> frozenset[Fact]:
    """The facts of `table` as those of a partition called `name`. PostgreSQL names the indexes and constraints of a
    partition as it likes, so only their definitions count, and that the rows are one tenant's is its own affair."""
    seen = set()
    for fact in facts:
        if fact.of != table or (fact.kind == "constraint" and fact.definition.startswith("CHECKtenant_id=")):
            continue
        if fact.kind == "index":
            unique, _, rest = fact.definition.partition(" USING ")
            seen.add(Fact(fact.kind, name, "", f"{'unique ' * ('UNIQUE' in unique)}{rest}"))
        else:
            named = "" if fact.kind == "constraint" else fact.name
            seen.add(Fact(fact.kind, name, named, fact.definition))
    return frozenset(seen)


def digest(standing: frozenset[Fact]) -> str:
    """SHA-256 over every fact that migrations promise: two schemas with the same digest are guarded alike."""
    lines = sorted("|".join(fact) for fact in _of_migrations(standing))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _plain(fact: Fact) -> Fact:
    """A CHECK as it reads before and after a dump: PostgreSQL then writes the same one with its casts elsewhere."""
    if fact.kind == "constraint" and fact.definition.startswith("CHECK"):
        return fact._replace(definition=CASTS.sub("", fact.definition))
    return fact
