"""What PostgreSQL's own catalogue says of our schemas: read by schema_check and by the isolation tests."""

import hashlib
from typing import Final, NamedTuple

from django.db import connection

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
SELECT 'grant', table_name, grantee || ' ' || privilege_type, ''
FROM information_schema.table_privileges WHERE table_schema = %(schema)s
"""


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
        return frozenset(Fact(*row) for row in cursor.fetchall())


def difference(promised: frozenset[Fact], found: frozenset[Fact]) -> list[str]:
    """What is missing, and what is there that was not promised; a line each, sorted."""
    missing = [f"- {fact.kind} {fact.of} {fact.name} {fact.definition}".rstrip() for fact in promised - found]
    extra = [f"+ {fact.kind} {fact.of} {fact.name} {fact.definition}".rstrip() for fact in found - promised]
    return sorted(missing + extra, key=lambda line: line[2:])


def digest(standing: frozenset[Fact]) -> str:
    """SHA-256 over every fact: two schemas with the same digest are guarded alike."""
    return hashlib.sha256("\n".join(sorted("|".join(fact) for fact in standing)).encode()).hexdigest()
