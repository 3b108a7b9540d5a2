"""What a tenant knows: documents, their versions, the chunks that search finds, and the two indexes over them."""

import hashlib
from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from pgvector.django import BitField, HalfVectorField

from ai.embedding import DIMENSIONS
from tenants.context import current_tenant_id
from tenants.ownership import SameTenantForeignKey, TenantOwned, jsonb_default

MAX_TITLE: Final = 300


class DocumentStatus(models.TextChoices):
    PENDING = "pending"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class DocumentQuerySet(models.QuerySet["Document"]):
    def present(self) -> "DocumentQuerySet":
        """Without the deleted ones."""
        return self.filter(deleted_at=None)


class Document(TenantOwned):
    """One page of knowledge, as its owner sees it. Its text stands in its versions.

    `latest` is the newest version, `version` the one that search finds (0: none yet); they differ while the newest is
    being processed, and after it failed. `status` and `error` are the newest version's.
    """

    external_id = models.CharField(max_length=500, null=True, blank=True)  # noqa: DJ001 - null: not unique
    title = models.CharField(max_length=MAX_TITLE)
    category = models.CharField(max_length=100, blank=True, default="", db_default="")
    collection = models.CharField(max_length=100, blank=True, default="", db_default="")
    metadata = models.JSONField(default=dict, db_default=jsonb_default("{}"), blank=True)
    status = models.CharField(
        max_length=10,
        choices=DocumentStatus,
        default=DocumentStatus.PENDING,
        db_default=DocumentStatus.PENDING,
    )
    error = models.TextField(blank=True, default="", db_default="", editable=False)
    progress = models.FloatField(default=0.0, db_default=0.0, editable=False)
    latest = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    version = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    content_sha256 = models.CharField(max_length=64, default="", db_default="", editable=False)
    language = models.CharField(max_length=8, blank=True, default="", db_default="", editable=False)
    embedding = HalfVectorField(dimensions=DIMENSIONS, null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = DocumentQuerySet.as_manager()

    class Meta(TenantOwned.Meta):
        db_table = "knowledge_documents"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="documents_by_tenant"),
            models.Index(fields=["tenant", "category"], name="documents_by_category"),
            models.Index(fields=["tenant", "collection"], name="documents_by_collection"),
        ]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "external_id"], name="documents_external_id"),
            models.CheckConstraint(
                condition=models.Q(status__in=DocumentStatus.values), name="documents_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(progress__gte=0, progress__lte=1), name="documents_progress_share"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def is_under_way(self) -> bool:
        """Whether its newest text is still to be processed."""
        return self.status in (DocumentStatus.PENDING, DocumentStatus.PROCESSING)

    @property
    def newest(self) -> "DocumentVersion":
        """The newest version, with its file. Raises DocumentVersion.DoesNotExist before there is one."""
        return self.versions.select_related("file").get(number=self.latest)

    @property
    def content(self) -> str:
        """The newest text, as it was sent; of a file that is not read yet, nothing."""
        return self.versions.values_list("content", flat=True).get(number=self.latest)

    @property
    def url(self) -> str:
        """Where its readers find it; empty where its owner did not say."""
        return str(self.metadata.get("url") or "")

    def mark_deleted(self) -> None:
        self.deleted_at = timezone.now()


class StoredFile(TenantOwned):
    """Bytes that somebody sent or that were fetched, kept once however many versions came from them. `size` is in
    bytes. `knowledge.files.storing` alone makes and deletes these rows, together with the bytes."""

    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()

    class Meta(TenantOwned.Meta):
        db_table = "knowledge_files"
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "sha256"], name="knowledge_files_sha256"),
        ]

    def __str__(self) -> str:
        return self.sha256


class DocumentVersion(TenantOwned):
    """One text of a document, as it was sent. A change of title is a version too: it is part of what is searched.

    A version may come from a `file` of that `file_name`, which may have been fetched from a `url`. Until a worker has
    read it, its content is empty, and its title too where the file's own is wanted.
    """

    document = SameTenantForeignKey(Document, related_name="versions")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=MAX_TITLE)
    content = models.TextField()
    content_sha256 = models.CharField(max_length=64)
    file = SameTenantForeignKey(StoredFile, null=True, related_name="versions", database_action="NO ACTION")
    file_name = models.CharField(max_length=200, default="", db_default="")
    url = models.CharField(max_length=2000, default="", db_default="")

    class Meta(TenantOwned.Meta):
        db_table = "knowledge_document_versions"
        ordering = ["-number"]
        indexes = [
            models.Index(
                fields=["tenant", "file"],
                name="document_versions_by_file",
                condition=models.Q(file__isnull=False),
            ),
        ]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "document", "number"], name="document_versions_number"),
        ]

    def __str__(self) -> str:
        return f"{self.title} (version {self.number})"

    @property
    def is_unread(self) -> bool:
        """Whether its text is still to be read from its file or fetched from its address."""
        return not self.content and bool(self.file_id or self.url)

    @staticmethod
    def digest(title: str, content: str) -> str:
        """What tells a text from the one before."""
        return hashlib.sha256(f"{title}\0{content}".encode()).hexdigest()


class Chunk(TenantOwned):
    """A passage that search can find. `number` is small and unique in its tenant: the keyword index counts by it."""

    document = SameTenantForeignKey(Document, related_name="chunks")
    version = models.PositiveIntegerField()
    position = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    content = models.TextField()
    heading_path = models.CharField(max_length=300, blank=True, default="", db_default="")
    token_count = models.PositiveIntegerField(default=0, db_default=0)
    metadata = models.JSONField(default=dict, db_default=jsonb_default("{}"), blank=True)

    class Meta(TenantOwned.Meta):
        db_table = "knowledge_chunks"
        ordering = ["document", "position"]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant", "document", "version", "position"], name="chunks_position"
            ),
            models.UniqueConstraint(fields=["tenant", "number"], name="chunks_number"),
        ]

    def __str__(self) -> str:
        return self.heading_path or self.content[:80]


class ChunkEmbedding(models.Model):
    """A chunk's vector, apart from its text: beside it, it would push the text out of the row (measured.md section 3).

    `bits` are the signs of the vector, made by the database: a tenant's are scanned, the nearest are compared exactly.
    The table is partitioned by tenant, so that a large one can have a partition and an HNSW index of its own.
    """

    pk = models.CompositePrimaryKey("tenant", "chunk")
    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        default=current_tenant_id,
        db_index=False,
        related_name="+",
    )
    chunk = SameTenantForeignKey(Chunk, related_name="embeddings")
    embedding = HalfVectorField(dimensions=DIMENSIONS)
    bits = models.GeneratedField(
        expression=models.Func("embedding", function="binary_quantize"),
        output_field=BitField(length=DIMENSIONS),
        db_persist=True,
    )
    embedding_model = models.CharField(max_length=100)

    class Meta:
        db_table = "chunk_embeddings"

    def __str__(self) -> str:
        return f"{self.chunk_id} ({self.embedding_model})"


class Posting(models.Model):
    """Where a word occurs: for one lexeme, one entry for each chunk of a block of 1,024 chunk numbers.

    An entry packs the chunk's length in words (15 bits), the occurrences (6) and the number within the block (10), from
    high to low. Rows stay small, so that adding a document rewrites little, and equality on (tenant, lexeme) is
    leakproof, so that row-level security leaves the index in use (it does not for GIN).
    """

    pk = models.CompositePrimaryKey("tenant", "lexeme", "block")
    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        default=current_tenant_id,
        db_index=False,
        related_name="+",
    )
    lexeme = models.TextField(db_collation="C")
    block = models.IntegerField()
    entries = ArrayField(models.IntegerField())

    class Meta:
        db_table = "knowledge_postings"

    def __str__(self) -> str:
        return f"{self.lexeme} in block {self.block}"


class KnowledgeTotals(models.Model):
    """What BM25 must know of the whole: chunks and words that search finds, and chunks by stemmer.

    Its row is also the tenant's lock for publishing: who changes the keyword index holds it, so totals never drift.
    """

    tenant = models.OneToOneField(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        primary_key=True,
        default=current_tenant_id,
        related_name="+",
    )
    chunks = models.IntegerField(default=0, db_default=0)
    words = models.BigIntegerField(default=0, db_default=0)
    stemmers = models.JSONField(default=dict, db_default=jsonb_default("{}"))

    class Meta:
        db_table = "knowledge_totals"

    def __str__(self) -> str:
        return f"{self.chunks} chunks"


class VectorIndexKind(models.TextChoices):
    """CODES: the tenant's one-bit codes are scanned. HNSW: a graph in a table of its own is walked."""

    CODES = "codes", "Scan of codes"
    HNSW = "hnsw", "HNSW"


class VectorIndexStatus(models.TextChoices):
    PENDING = "pending"
    COPYING = "copying"
    INDEXING = "indexing"
    ATTACHING = "attaching"
    DETACHING = "detaching"
    DONE = "done"
    FAILED = "failed"


class VectorIndex(models.Model):
    """How a tenant's vectors are searched (`kind`), and the order to change that (`wanted`), with how far it is.

    A tenant without a row is searched by codes. `knowledge.vector_index.deciding` gives the order, `manage.py maintain`
    carries it out. `chunks` is the tenant's size when the order was given.
    """

    tenant = models.OneToOneField(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        primary_key=True,
        default=current_tenant_id,
        related_name="+",
    )
    kind = models.CharField(
        max_length=5,
        choices=VectorIndexKind,
        default=VectorIndexKind.CODES,
        db_default=VectorIndexKind.CODES,
    )
    wanted = models.CharField(
        max_length=5,
        choices=VectorIndexKind,
        default=VectorIndexKind.CODES,
        db_default=VectorIndexKind.CODES,
    )
    status = models.CharField(
        max_length=9,
        choices=VectorIndexStatus,
        default=VectorIndexStatus.DONE,
        db_default=VectorIndexStatus.DONE,
    )
    progress = models.FloatField(default=1.0, db_default=1.0)
    error = models.TextField(default="", db_default="")
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    chunks = models.PositiveIntegerField(default=0, db_default=0)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "knowledge_vector_indexes"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=VectorIndexKind.values, wanted__in=VectorIndexKind.values),
                name="vector_indexes_kind_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=VectorIndexStatus.values), name="vector_indexes_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(progress__gte=0, progress__lte=1), name="vector_indexes_progress_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.status})"
