"""The catalogue walk: every table is guarded as a tenant's, or stands on the directory list with a reason."""

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection

from tenants.auditing.watching import ALWAYS_IGNORED
from tenants.lookup import LOOKUPS
from tenants.ownership import SameTenantForeignKey, TenantOwned
from tenants.placement import DIRECTORY, UNOWNED, is_directory
from tenants.rls import POLICY, same_tenant_key_name
from tests.database import DEDICATED_SCHEMA

SCHEMAS = ("public", "pool", DEDICATED_SCHEMA)

# Tables of libraries, in public: none holds tenant data.
LIBRARY_TABLES = {
    "django_migrations": "which migrations have run",
    "django_content_type": "Django's list of models",
    "auth_permission": "Django's permission names, unused: the role table answers",
    "auth_group": "unused",
    "auth_group_permissions": "unused",
    "django_admin_log": "Django's admin log is off (it would hold titles of tenants' rows)",
}
# Unique by nature over all tenants of a schema: the name is random, or claimed in directory_keys too.
GLOBAL_KEYS = {
    "widgets": {"public_key"},
    "meetings": {"room_name", "livekit_room_id"},
}
# Tables whose changes the database does not record by itself, each with the reason.
UNWATCHED = {
    "exports": "how far one is; who orders, makes, takes and deletes it is recorded by those deeds",
    "answer_runs": "how far an answer is; no person changes it",
    "audit_entries": "the record itself",
    "staff_recovery_codes": "of people without a tenant, whose record it would be",
    "staff_second_factors": "of people without a tenant, whose record it would be",
    "auth_sessions": "a browser's; signing in, out and out elsewhere are recorded by name (tenants.signing_in)",
    "ai_personality_versions": "a copy of the personality at each recorded change",
    "budget_alerts": "raised and resolved by what is spent; a change of the budget is recorded",
    "budget_holds": "money held back for a moment by an answer",
    "canaries": "the platform's own",
    "chunk_embeddings": "made from documents",
    "cost_events": "a ledger that only grows, with the key's own idempotency",
    "cost_summaries": "sums over the ledger",
    "directory_keys": "written with the row that they lead to",
    "due_work": "promises of work",
    "erasure_receipts": "the order is recorded by name, and the receipt is a record itself",
    "idempotency_records": "answers kept for a program that asks again",
    "knowledge_chunks": "made from documents",
    "knowledge_document_versions": "a change of a document's text is told by its digest",
    "knowledge_files": "bytes of documents",
    "knowledge_postings": "made from documents",
    "knowledge_totals": "made from documents",
    "knowledge_vector_indexes": "the platform's own",
    "outbox": "what is told of recorded changes",
    "webhook_deliveries": "a log of its own; how a worker gets on",
    "messages": "a transcript that only grows, with its authors",
    "rollup_watermarks": "how far sums are folded",
    "visitors": "personal data does not belong into a record that nobody may change; erasing it is recorded by name",
}
# Keys to public rows, which have no tenant: the pricing that writes them reads through the policy, so it sees public
# prices and its own tenant's only.
PUBLIC_PARENTS = {"billing.CostEvent.price"}


def query(text, *arguments):
    with connection.cursor() as cursor:
        cursor.execute(text, arguments)
        return cursor.fetchall()


def tables():
    return query(
        "SELECT n.nspname, c.relname, c.oid, c.relrowsecurity, c.relforcerowsecurity, c.relispartition "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY(%s)",
        list(SCHEMAS),
    )


def columns(oid):
    rows = query(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped", oid
    )
    return {name for (name,) in rows}


def own_models():
    return [model for model in apps.get_models() if getattr(model._meta.app_config, "is_frontdesk", False)]


@pytest.mark.django_db
def test_every_table_is_guarded_or_listed():
    known = {model._meta.db_table: model for model in own_models()}
    seen = 0
    for schema, name, oid, enabled, forced, is_partition in tables():
        if name in LIBRARY_TABLES and "tenant_id" not in columns(oid):
            continue
        seen += 1
        assert "tenant_id" in columns(oid) or name == "tenants", (
            f"{schema}.{name} has no tenant and no reason"
        )
        assert enabled, f"{schema}.{name}: row-level security is off"
        assert forced, f"{schema}.{name}: row-level security is not forced"
        policies = query(
            "SELECT polname, polqual IS NOT NULL, polwithcheck IS NOT NULL FROM pg_policy WHERE polrelid = %s",
            oid,
        )
        assert (POLICY, True, True) in policies, f"{schema}.{name}: no policy with USING and WITH CHECK"
        if not is_partition:
            assert name in known, f"{schema}.{name} belongs to no model"
    assert seen >= 30


@pytest.mark.django_db
def test_every_table_stands_where_its_model_belongs():
    places = {}
    for schema, name, *_, is_partition in tables():
        if not is_partition:
            places.setdefault(name, set()).add(schema)
    for model in own_models():
        meta = model._meta
        expected = {"public"} if is_directory(meta.app_label, meta.model_name) else {"pool", DEDICATED_SCHEMA}
        assert places.get(meta.db_table) == expected, meta.label
        assert (
            issubclass(model, TenantOwned)
            or meta.label_lower in DIRECTORY
            or "tenant_id" in {field.attname for field in meta.fields}
        ), meta.label
    in_public = {
        m._meta.label_lower for m in own_models() if is_directory(m._meta.app_label, m._meta.model_name)
    }
    assert set(DIRECTORY) == in_public
    assert all(DIRECTORY.values())
    assert all(UNOWNED.values())


@pytest.mark.django_db
def test_every_key_between_tenants_rows_is_a_same_tenant_key():
    checked = 0
    for model in own_models():
        schema = "public" if is_directory(model._meta.app_label, model._meta.model_name) else "pool"
        for field in model._meta.fields:
            if not field.is_relation or field.name == "tenant" or str(field) in PUBLIC_PARENTS:
                continue
            assert isinstance(field, SameTenantForeignKey), (
                f"{field} is a plain key: it could point at another tenant"
            )
            found = query(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conname = %s "
                "AND connamespace = %s::regnamespace",
                same_tenant_key_name(field),
                schema,
            )
            assert found, f"{field} has no same-tenant key in {schema}"
            assert f"FOREIGN KEY (tenant_id, {field.column})" in found[0][0]
            checked += 1
    assert checked >= 12


@pytest.mark.django_db
def test_every_index_of_a_tenants_table_begins_with_the_tenant():
    found = query(
        "SELECT t.relname, i.relname, x.indisprimary, a.attname "
        # A graph stands over vectors of one tenant alone: its partition, or its schema, is its beginning.
        "FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
        "JOIN pg_am m ON m.oid = i.relam AND m.amname <> 'hnsw' JOIN pg_class t ON t.oid = x.indrelid "
        "JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0] "
        "WHERE t.relnamespace = 'pool'::regnamespace"
    )
    assert len(found) > 30
    for table, index, is_primary, first in found:
        if is_primary or table == "django_migrations" or first in GLOBAL_KEYS.get(table, ()):
            continue
        assert first == "tenant_id", f"{table}.{index} begins with {first}"


@pytest.mark.django_db
def test_every_definer_function_is_on_the_list():
    found = query(
        "SELECT p.oid::regprocedure::text, pg_get_userbyid(p.proowner), "
        "has_function_privilege('frontdesk_app', p.oid, 'EXECUTE') FROM pg_proc p "
        "WHERE p.prosecdef AND p.pronamespace = ANY(%s::regnamespace[])",
        list(SCHEMAS),
    )
    listed = {name.replace("timestamptz", "timestamp with time zone").replace(", ", ",") for name in LOOKUPS}
    assert {name for name, *_ in found} == listed
    assert {owner for _, owner, _ in found} == {"frontdesk_lookup"}
    ((can_login, bypasses, memberships),) = query(
        "SELECT rolcanlogin, rolbypassrls, (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid) "
        "FROM pg_roles r WHERE rolname = 'frontdesk_lookup'"
    )
    assert (can_login, bypasses, memberships) == (False, False, 0)


@pytest.mark.django_db
def test_the_application_role_owns_nothing_and_is_nobody():
    from tenants.roles import problems

    assert problems() == []
    assert query("SELECT count(*) FROM pg_class WHERE relowner = 'frontdesk_app'::regrole") == [(0,)]
    memberships = "SELECT count(*) FROM pg_auth_members m WHERE m.member = 'frontdesk_app'::regrole"
    assert query(memberships) == [(0,)]


@pytest.mark.django_db
def test_both_kinds_of_schema_are_made_alike():
    from tenants.catalogue import difference, facts

    assert difference(facts("pool"), facts(DEDICATED_SCHEMA)) == []


@pytest.mark.django_db
def test_every_table_is_watched_or_says_why_not():
    """A new table decides: WatchTable in its migration (tenants.auditing), or a reason above. So does a new column."""
    role = f"(CURRENT_USER = '{settings.APPLICATION_ROLE}'::name)"
    for model in own_models():
        table = model._meta.db_table
        directory = is_directory(model._meta.app_label, model._meta.model_name)
        for schema in ("public",) if directory else ("pool", DEDICATED_SCHEMA):
            found = query(
                "SELECT tgargs, pg_get_triggerdef(oid), tgenabled FROM pg_trigger "
                "WHERE tgrelid = %s::regclass AND tgname = 'audit_update'",
                f'{schema}."{table}"',
            )
            assert bool(found) != (table in UNWATCHED), (
                f"{schema}.{table} is not watched, and does not say why"
            )
            if not found:
                continue
            ((arguments, definition, enabled),) = found
            assert role in definition, f"{table} is watched for another role"
            assert enabled == "O"
            _, _, *lists = bytes(arguments).decode().split("\0")
            decided = {name for one in lists for name in one.split(",") if name}
            wanted = {field.column for field in model._meta.concrete_fields} - set(ALWAYS_IGNORED)
            assert decided == wanted, f"{schema}.{table}: nobody decided about {decided ^ wanted}"
    assert set(UNWATCHED) <= {model._meta.db_table for model in own_models()}
