from django.db import migrations

from tenants.rls import GuardTable, SameTenantKey

TABLES = ("Document", "DocumentVersion", "Chunk", "ChunkEmbedding", "Posting", "KnowledgeTotals")
KEYS = (("DocumentVersion", "document"), ("Chunk", "document"), ("ChunkEmbedding", "chunk"))


class Migration(migrations.Migration):
    dependencies = [
        ("knowledge", "0001_initial"),
        ("tenants", "0002_guards"),
    ]

    operations = [
        *(GuardTable(name) for name in TABLES),
        *(SameTenantKey(model, field) for model, field in KEYS),
    ]
