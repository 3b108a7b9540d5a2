"""Widgets and their conversations: who asks, what was said, which answer is being made."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.encrypted import EncryptedField
from tenants.ownership import Now, SameTenantForeignKey, TenantOwned, jsonb_default


class Personality(TenantOwned):
    """How the AI speaks for a tenant. Exactly one is the default; every change is a version."""

    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, default="", db_default="")
    system_prompt = models.TextField(blank=True, default="", db_default="")
    temperature = models.DecimalField(max_digits=3, decimal_places=2, default="0.70", db_default="0.70")
    max_tokens = models.PositiveIntegerField(default=2000, db_default=2000)
    top_p = models.DecimalField(max_digits=3, decimal_places=2, default="1.00", db_default="1.00")
    frequency_penalty = models.DecimalField(max_digits=3, decimal_places=2, default="0.00", db_default="0.00")
    presence_penalty = models.DecimalField(max_digits=3, decimal_places=2, default="0.00", db_default="0.00")
    preferred_model = models.CharField(max_length=120, blank=True, default="", db_default="")
    is_default = models.BooleanField(default=False, db_default=False)
    is_active = models.BooleanField(default=True, db_default=True)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    metadata = models.JSONField(default=dict, blank=True, db_default=jsonb_default("{}"))

    class Meta(TenantOwned.Meta):
        db_table = "ai_personalities"
        verbose_name_plural = "personalities"
        ordering = ["-id"]
        indexes = [models.Index(fields=["tenant", "is_default", "is_active"], name="personalities_default")]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(is_default=True), name="personalities_one_default"
            ),
            models.CheckConstraint(
                condition=~models.Q(is_default=True, is_active=False), name="personalities_default_is_active"
            ),
            models.CheckConstraint(
                condition=models.Q(temperature__range=(0, 2)), name="personalities_temperature_range"
            ),
            models.CheckConstraint(condition=models.Q(top_p__range=(0, 1)), name="personalities_top_p_range"),
            models.CheckConstraint(
                condition=models.Q(frequency_penalty__range=(-2, 2), presence_penalty__range=(-2, 2)),
                name="personalities_penalties_range",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PersonalityVersion(TenantOwned):
    """A personality as it once was; each answer names the version that gave it."""

    personality = SameTenantForeignKey(Personality, related_name="versions")
    version = models.PositiveIntegerField()
    content = models.JSONField()

    class Meta(TenantOwned.Meta):
        db_table = "ai_personality_versions"
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant", "personality", "version"], name="personality_versions_once"
            ),
        ]


class Widget(TenantOwned):
    """A chat on a tenant's website, known to the world by its public key."""

    name = models.CharField(max_length=120)
    public_key = models.CharField(max_length=40, unique=True, editable=False)
    domain_whitelist = models.JSONField(default=list, db_default=jsonb_default("[]"))
    settings = models.JSONField(default=dict, blank=True, db_default=jsonb_default("{}"))
    personality = SameTenantForeignKey(
        Personality, database_action="SET NULL", null=True, blank=True, related_name="widgets"
    )
    collections = ArrayField(models.CharField(max_length=120), default=list, blank=True, db_default=[])
    identity_secret = EncryptedField(null=True)
    require_identity = models.BooleanField(default=False, db_default=False)
    is_active = models.BooleanField(default=True, db_default=True)

    class Meta(TenantOwned.Meta):
        db_table = "widgets"
        ordering = ["-id"]
        indexes = [models.Index(fields=["tenant", "-id"], name="widgets_by_tenant")]

    def __str__(self) -> str:
        return self.name


class Visitor(TenantOwned):
    """Somebody on a tenant's website. Has a row from the first message on, so that bots write nothing."""

    widget = SameTenantForeignKey(Widget, database_action="SET NULL", null=True, related_name="visitors")
    external_id = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - null: anonymous
    email = models.EmailField(max_length=254, null=True, blank=True)  # noqa: DJ001 - null: not told
    name = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - null: not told
    verified = models.BooleanField(default=False, db_default=False)
    attributes = models.JSONField(default=dict, blank=True, db_default=jsonb_default("{}"))
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())

    class Meta(TenantOwned.Meta):
        db_table = "visitors"
        ordering = ["-id"]
        constraints = [
            *TenantOwned.Meta.constraints,
            # Only a verified claim takes an external id: an unverified one never merges into a verified visitor. Where
            # there is no widget, a tenant's own programs talk for their users.
            models.UniqueConstraint(
                fields=["tenant", "widget", "external_id"],
                condition=models.Q(verified=True, external_id__isnull=False),
                nulls_distinct=False,
                name="visitors_external_id_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email or f"Visitor {str(self.pk)[-6:]}"


class SessionMode(models.TextChoices):
    TEXT = "text"
    MEETING = "meeting"


class SessionStatus(models.TextChoices):
    AI = "ai", "with the AI"
    WAITING = "waiting", "waiting for a person"
    HUMAN = "human", "with a person"
    ENDED = "ended"


class Session(TenantOwned):
    """A conversation. `last_seq` numbers its messages; it is taken under this row's lock by whoever commits one.
    `read_seq` is how far its visitor has read."""

    widget = SameTenantForeignKey(Widget, database_action="SET NULL", null=True, related_name="sessions")
    meeting = SameTenantForeignKey(
        "meetings.Meeting", database_action="SET NULL", null=True, blank=True, related_name="sessions"
    )
    visitor = SameTenantForeignKey(Visitor, null=True, related_name="sessions")
    mode = models.CharField(
        max_length=8, choices=SessionMode, default=SessionMode.TEXT, db_default=SessionMode.TEXT
    )
    status = models.CharField(
        max_length=8, choices=SessionStatus, default=SessionStatus.AI, db_default=SessionStatus.AI
    )
    assignee = SameTenantForeignKey(
        "tenants.User", database_action="SET NULL", null=True, blank=True, related_name="+"
    )
    cost_usd = models.DecimalField(max_digits=18, decimal_places=10, default=0, db_default=0)
    tool_count = models.PositiveIntegerField(default=0, db_default=0)
    last_seq = models.PositiveIntegerField(default=0, db_default=0)
    read_seq = models.PositiveIntegerField(default=0, db_default=0)
    last_message_at = models.DateTimeField(db_default=Now())
    metadata = models.JSONField(default=dict, blank=True, db_default=jsonb_default("{}"))
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=40, blank=True, default="", db_default="")
    rating = models.SmallIntegerField(null=True, blank=True)
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True, db_default=[])

    class Meta(TenantOwned.Meta):
        db_table = "sessions"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="sessions_newest"),
            models.Index(fields=["tenant", "widget", "-created_at", "-id"], name="sessions_by_widget"),
            models.Index(fields=["tenant", "visitor", "-id"], name="sessions_by_visitor"),
            models.Index(fields=["tenant", "meeting"], name="sessions_by_meeting"),
            models.Index(
                fields=["tenant", "last_message_at"],
                condition=~models.Q(status="ended"),
                name="sessions_open",
            ),
        ]
        constraints = [
            *TenantOwned.Meta.constraints,
            # One open session per visitor and widget, also when two tabs send their first message at once.
            models.UniqueConstraint(
                fields=["tenant", "widget", "visitor"],
                condition=~models.Q(status="ended"),
                name="sessions_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=SessionStatus.values), name="sessions_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(mode__in=SessionMode.values), name="sessions_mode_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Session {str(self.pk)[-6:]}"

    @property
    def is_open(self) -> bool:
        return self.status != SessionStatus.ENDED


class MessageRole(models.TextChoices):
    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class MessageStatus(models.TextChoices):
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Message(TenantOwned):
    """Something said, committed and numbered without a gap. State changes are `system` messages with metadata.event."""

    updated_at = None  # type: ignore[assignment]  # Django's way to drop a field: a message is never changed

    session = SameTenantForeignKey(Session, related_name="messages")
    seq = models.PositiveIntegerField()
    role = models.CharField(max_length=10, choices=MessageRole)
    author = SameTenantForeignKey(
        "tenants.User", database_action="SET NULL", null=True, blank=True, related_name="+"
    )
    content = models.TextField()
    attachments = models.JSONField(default=list, blank=True, db_default=jsonb_default("[]"))
    citations = models.JSONField(default=list, blank=True, db_default=jsonb_default("[]"))
    status = models.CharField(
        max_length=12,
        choices=MessageStatus,
        default=MessageStatus.COMPLETE,
        db_default=MessageStatus.COMPLETE,
    )
    client_id = models.UUIDField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True, db_default=jsonb_default("{}"))
    timestamp = models.DateTimeField(db_default=Now())

    class Meta(TenantOwned.Meta):
        db_table = "messages"
        ordering = ["session", "seq"]
        indexes = [models.Index(fields=["tenant", "timestamp"], name="messages_by_time")]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "session", "seq"], name="messages_seq_once"),
            models.UniqueConstraint(
                fields=["tenant", "session", "client_id"], name="messages_client_id_once"
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=MessageRole.values), name="messages_role_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=MessageStatus.values), name="messages_status_known"
            ),
            models.CheckConstraint(condition=models.Q(seq__gte=1), name="messages_seq_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.role}"


class Feedback(TenantOwned):
    """What a visitor thinks of an answer. Their last word counts: it changes this row."""

    message = SameTenantForeignKey(Message, related_name="feedback")
    visitor = SameTenantForeignKey(Visitor, related_name="feedback")
    rating = models.SmallIntegerField(help_text="1: helpful, -1: not helpful")
    comment = models.TextField(blank=True, default="", db_default="")

    class Meta(TenantOwned.Meta):
        db_table = "feedback"
        verbose_name_plural = "feedback"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="feedback_newest"),
            models.Index(fields=["tenant", "visitor"], name="feedback_by_visitor"),
        ]
        constraints = [
            *TenantOwned.Meta.constraints,
            # A message has one session and that has one visitor, so this is one per visitor and answer, and joining it
            # to a message never doubles the message.
            models.UniqueConstraint(fields=["tenant", "message"], name="feedback_once"),
            models.CheckConstraint(condition=models.Q(rating__in=(1, -1)), name="feedback_rating_known"),
        ]

    def __str__(self) -> str:
        return "helpful" if self.rating > 0 else "not helpful"


class RunStatus(models.TextChoices):
    RUNNING = "running"
    DONE = "done"
    INTERRUPTED = "interrupted"


class AnswerRun(TenantOwned):
    """An answer being made. `message_id` is the id its message will have; the text so far lives in Redis."""

    session = SameTenantForeignKey(Session, related_name="answer_runs")
    message_id = models.UUIDField()
    question_seq = models.PositiveIntegerField()
    status = models.CharField(
        max_length=12, choices=RunStatus, default=RunStatus.RUNNING, db_default=RunStatus.RUNNING
    )
    process = models.CharField(max_length=80)
    lease_until = models.DateTimeField()
    metadata = models.JSONField(default=dict, blank=True, db_default=jsonb_default("{}"))

    class Meta(TenantOwned.Meta):
        db_table = "answer_runs"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantOwned.Meta.constraints,
            # One answer runs at a time per session, whoever starts it.
            models.UniqueConstraint(
                fields=["tenant", "session"],
                condition=models.Q(status="running"),
                name="answer_runs_one_running",
            ),
            models.UniqueConstraint(
                fields=["tenant", "session", "question_seq"], name="answer_runs_question_once"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=RunStatus.values), name="answer_runs_status_known"
            ),
        ]
