"""The stage of the isolation tests: a database with twins in the pool and in a dedicated schema."""

from kernel.encryption import encrypt
from tenants.context import TenantRef
from tenants.creating import create_tenant
from tenants.models import AuthSession, SecurityKey, StaffRecoveryCode, StaffSecondFactor, User
from tests.database import DEDICATED_SCHEMA
from tests.isolation import twins
from tests.isolation.probing import Pair

CAST = (("pool", "acme", "bolt"), (DEDICATED_SCHEMA, "cargo", "dray"))


GRANTS = (
    "SELECT c.oid::regclass::text, c.relacl::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname IN ('public', 'pool', 'dedicated_cargo') AND c.relkind IN ('r', 'p')"
)


def give_back(superuser, grants) -> None:
    """Put the grants back as migrations made them: the rows that `GRANTS` gave."""
    with superuser.transaction():
        for table, acl in grants:
            superuser.execute(
                "UPDATE pg_class SET relacl = %s::aclitem[] WHERE oid = %s::regclass", [acl, table]
            )


def furnish(superuser) -> list[Pair]:
    """Make both pairs with a row in every table, a person of the platform with a session and second factors, and a
    public price.

    Two tenants in one dedicated schema do not happen in the product: here they show that its policies hold alone.
    """
    # Some tables only grow, or are written by the owner: for the furnishing the application may do anything.
    for schema in ("public", "pool", DEDICATED_SCHEMA):
        superuser.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO frontdesk_app")
    pairs = []
    for schema, *slugs in CAST:
        mine, theirs = (create_tenant(slug.capitalize(), slug, schema_name=schema) for slug in slugs)
        pair = Pair(schema, TenantRef(mine.pk, schema), TenantRef(theirs.pk, schema))
        for ref, slug in zip((pair.mine, pair.theirs), slugs, strict=True):
            twins.make_rows(ref, slug)
        pairs.append(pair)
    staff = User.objects.create(email="staff@twins.example", password="!", tenant_id=None)
    AuthSession.objects.create(
        key="platform-twin", tenant_id=None, user=staff, data="", expires_at=twins.SAME_TIME
    )
    StaffSecondFactor.objects.create(user=staff, secret=encrypt("alike"))
    StaffRecoveryCode.objects.create(user=staff, code_hash="alike")
    SecurityKey.objects.create(user=staff, name="alike", rp_id="alike", credential_id="alike", public_key=b"")
    superuser.execute(
        "INSERT INTO public.model_prices (id, tenant_id, provider, model, service, unit, effective_from, source) "
        "VALUES (uuidv7(), NULL, 'alike', 'alike', 'llm', 'tokens', now(), 'twins')"
    )
    return pairs
