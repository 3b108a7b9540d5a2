"""The tables of costs: one append-only ledger, prices, summaries folded from it, budgets and what they hold back."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from billing.costs.fields import CurrentTransaction, MoneyField, TransactionIdField
from tenants.context import current_tenant_id
from tenants.ownership import Identified, Now, SameTenantForeignKey, TenantOwned, jsonb_default


class Service(models.TextChoices):
    VISION = "vision"
    VOICE_STT = "voice_stt", "speech to text"
    VOICE_TTS = "voice_tts", "text to speech"
    LLM = "llm", "language model"
    EMBEDDING = "embedding"
    LIVEKIT = "livekit", "LiveKit"


class PriceUnit(models.TextChoices):
    """What a price is for: a million tokens, or one of the others."""

    TOKENS = "tokens", "1M tokens"
    SECONDS = "seconds"
    CHARACTERS = "characters"
    IMAGES = "images"
    PARTICIPANT_MINUTES = "participant_minutes"


class SummaryPeriod(models.TextChoices):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class BudgetPeriod(models.TextChoices):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Degrade(models.TextChoices):
    """What answers do once a budget is used up."""

    CHEAPER_MODEL = "cheaper_model"
    CURATED_ONLY = "curated_only"
    HANDOFF = "handoff"


def _not_null(name: str) -> models.Q:
    return models.Q(**{f"{name}__isnull": False})


class CostEvent(TenantOwned):
    """One paid call, as it was. Never changed: a late price or a re-rating is a new row that `corrects` the first and
    carries the difference. `cost_usd` is NULL where the price is unknown and 0 only where it is known to be free.

    `xid` is the transaction that wrote the row; the fold's watermark is over it (`billing.costs.rollup`).
    """

    updated_at = None  # type: ignore[assignment]  # how Django drops an inherited field: no row ever changes

    session = SameTenantForeignKey(
        "widgets.Session", database_action="SET NULL", null=True, editable=False, related_name="cost_events"
    )
    message = SameTenantForeignKey(
        "widgets.Message", database_action="SET NULL", null=True, editable=False, related_name="cost_events"
    )
    trace_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    span_id = models.CharField(max_length=32, blank=True, default="", db_default="")
    parent_span_id = models.CharField(max_length=32, blank=True, default="", db_default="")
    service = models.CharField(max_length=16, choices=Service)
    provider = models.CharField(max_length=60)
    model = models.CharField(max_length=120)
    feature = models.CharField(max_length=60, blank=True, default="", db_default="")
    user_ref = models.CharField(max_length=200, blank=True, default="", db_default="")
    input_tokens = models.BigIntegerField(default=0, db_default=0)
    output_tokens = models.BigIntegerField(default=0, db_default=0)
    cached_tokens = models.BigIntegerField(default=0, db_default=0)
    cache_write_tokens = models.BigIntegerField(default=0, db_default=0)
    tokens_used = models.BigIntegerField(default=0, db_default=0)
    units = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    latency_ms = models.IntegerField(null=True)
    cost_usd = MoneyField(null=True)
    verified_cost_usd = MoneyField(null=True)
    # The ModelPrice it was reckoned by. Not a foreign key: that would be checked past row-level security.
    price_id = models.UUIDField(null=True)
    # The cost came with the event: no price list re-rates it.
    cost_given = models.BooleanField(default=False, db_default=False, editable=False)
    estimated = models.BooleanField(default=False, db_default=False)
    is_cache_hit = models.BooleanField(default=False, db_default=False)
    corrects = SameTenantForeignKey(
        "self", database_action="NO ACTION", null=True, related_name="corrections"
    )
    idempotency_key = models.CharField(max_length=200)
    metadata = models.JSONField(default=dict, blank=True, db_default=jsonb_default("{}"))
    timestamp = models.DateTimeField(db_default=Now())
    xid = TransactionIdField(db_default=CurrentTransaction(), editable=False)

    class Meta(TenantOwned.Meta):
        db_table = "cost_events"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["tenant", "xid"], name="cost_events_by_xid"),
            models.Index(fields=["tenant", "timestamp"], name="cost_events_by_time"),
            models.Index(fields=["tenant", "feature", "timestamp"], name="cost_events_by_feature"),
            # Partial: most rows lack one of these, and every index is paid for on the way of an answer.
            models.Index(
                fields=["tenant", "session"], condition=_not_null("session"), name="cost_events_by_session"
            ),
            models.Index(
                fields=["tenant", "message"], condition=_not_null("message"), name="cost_events_by_message"
            ),
            models.Index(
                fields=["tenant", "user_ref", "timestamp"],
                condition=~models.Q(user_ref=""),
                name="cost_events_by_user_ref",
            ),
            models.Index(
                fields=["tenant", "trace_id"], condition=~models.Q(trace_id=""), name="cost_events_by_trace"
            ),
            models.Index(
                fields=["tenant", "corrects"], condition=_not_null("corrects"), name="cost_events_corrections"
            ),
        ]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "idempotency_key"], name="cost_events_once"),
            models.CheckConstraint(
                condition=models.Q(service__in=Service.values), name="cost_events_service_known"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    input_tokens__gte=0,
                    output_tokens__gte=0,
                    cached_tokens__gte=0,
                    cache_write_tokens__gte=0,
                    tokens_used__gte=0,
                ),
                name="cost_events_tokens_counted",
            ),
            # Only a correction may take money back.
            models.CheckConstraint(
                condition=models.Q(cost_usd__isnull=True) | models.Q(cost_usd__gte=0) | _not_null("corrects"),
                name="cost_events_cost_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.provider}:{self.model}"


class ModelPrice(Identified):
    """What a provider charges for a model from a day on: a public price (no tenant), or one a tenant negotiated.

    `input`, `output`, `cached` and `cache_write` are dollars per million tokens; for other units `input` is dollars per
    unit. NULL: not sold apart. A price ends where the next one of the same model begins.
    """

    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.CASCADE, null=True, blank=True, db_index=False, related_name="+"
    )
    provider = models.CharField(max_length=60)
    model = models.CharField(max_length=120)
    service = models.CharField(max_length=16, choices=Service)
    unit = models.CharField(
        max_length=20, choices=PriceUnit, default=PriceUnit.TOKENS, db_default=PriceUnit.TOKENS
    )
    input = MoneyField(null=True, blank=True)
    output = MoneyField(null=True, blank=True)
    cached = MoneyField(null=True, blank=True)
    cache_write = MoneyField(null=True, blank=True)
    effective_from = models.DateTimeField()
    source = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        db_table = "model_prices"
        ordering = ["provider", "model", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "provider", "model", "service", "unit", "effective_from"],
                nulls_distinct=False,
                name="model_prices_once",
            ),
            models.CheckConstraint(
                condition=models.Q(service__in=Service.values), name="model_prices_service_known"
            ),
            models.CheckConstraint(
                condition=models.Q(unit__in=PriceUnit.values), name="model_prices_unit_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}:{self.model} from {self.effective_from:%Y-%m-%d}"


# By what summaries tell costs apart.
DIMENSIONS = ("service", "provider", "model", "feature")


class CostSummary(TenantOwned):
    """The sum over the cost events of one bucket. Hours in UTC; days and longer in the tenant's time zone.

    `latency_digest` counts latencies by step: of step n are those from 1.1^n up to 1.1^(n+1) ms. `is_final` are the
    sums over events that may have been deleted since (`rollup.finalise`); a bucket may have such a part and another.
    """

    period = models.CharField(max_length=8, choices=SummaryPeriod)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    service = models.CharField(max_length=16, choices=Service)
    provider = models.CharField(max_length=60)
    model = models.CharField(max_length=120)
    feature = models.CharField(max_length=60, blank=True, default="", db_default="")
    total_cost_usd = MoneyField(default=0, db_default=0)
    total_tokens = models.BigIntegerField(default=0, db_default=0)
    event_count = models.BigIntegerField(default=0, db_default=0)
    unpriced_count = models.BigIntegerField(default=0, db_default=0)
    cache_hits = models.BigIntegerField(default=0, db_default=0)
    latency_sum_ms = models.BigIntegerField(default=0, db_default=0)
    latency_count = models.BigIntegerField(default=0, db_default=0)
    latency_digest = models.JSONField(
        default=dict, blank=True, editable=False, db_default=jsonb_default("{}")
    )
    is_final = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta(TenantOwned.Meta):
        db_table = "cost_summaries"
        verbose_name_plural = "cost summaries"
        ordering = ["-period_start"]
        constraints = [
            *TenantOwned.Meta.constraints,
            # Leads with (tenant, period, period_start): it is the index of every read as well.
            models.UniqueConstraint(
                fields=["tenant", "period", "period_start", *DIMENSIONS, "is_final"],
                name="cost_summaries_once",
            ),
            models.CheckConstraint(
                condition=models.Q(period__in=SummaryPeriod.values), name="cost_summaries_period_known"
            ),
        ]


class RollupWatermark(TenantOwned):
    """How far a tenant's events are folded: every event of a transaction before `folded_to` is, no other one.

    Transaction numbers belong to one database cluster, so `cluster` names it (pg_control_system's system identifier).
    `timezone` is the zone the tenant's days were cut in, `layout` the kind of buckets that were made
    (`rollup.LAYOUT`). The sums over events before `final_before` are final: those events may be deleted.
    """

    folded_to = TransactionIdField()
    cluster = models.BigIntegerField()
    timezone = models.CharField(max_length=64)
    folded_at = models.DateTimeField(null=True)
    final_before = models.DateTimeField(null=True)
    layout = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta(TenantOwned.Meta):
        db_table = "rollup_watermarks"
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant"], name="rollup_watermarks_once"),
        ]


class Budget(TenantOwned):
    """A limit on a tenant's spending per day, week or month, in its time zone.

    `spent` is the sum of the events since `period_start`, kept in the transactions that write them; `reserved` is the
    sum of its holds. With `hard_cap`, spent + reserved never passes the limit at the moment of reserving.
    """

    period = models.CharField(
        max_length=8, choices=BudgetPeriod, default=BudgetPeriod.MONTHLY, db_default=BudgetPeriod.MONTHLY
    )
    limit_usd = MoneyField()
    warn_at = ArrayField(
        models.DecimalField(max_digits=5, decimal_places=4), default=list, blank=True, db_default=[]
    )
    hard_cap = models.BooleanField(default=False, db_default=False)
    fallback_price_usd = MoneyField(
        null=True,
        blank=True,
        help_text="Dollars per million tokens for a model without a price. "
        "Where it is empty, a hard cap refuses such a model.",
    )
    degrade = models.CharField(max_length=16, choices=Degrade, blank=True, default="", db_default="")
    recipients = ArrayField(models.EmailField(max_length=254), default=list, blank=True, db_default=[])
    channels = ArrayField(models.CharField(max_length=40), default=list, blank=True, db_default=[])
    custom_message = models.TextField(blank=True, default="", db_default="")
    spent = MoneyField(default=0, db_default=0, editable=False)
    reserved = MoneyField(default=0, db_default=0, editable=False)
    period_start = models.DateTimeField(db_default=Now(), editable=False)
    # A new budget's period has ended before it began: the first look at it counts what was spent already.
    period_end = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantOwned.Meta):
        db_table = "budgets"
        ordering = ["-id"]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(period__in=BudgetPeriod.values), name="budgets_period_known"
            ),
            models.CheckConstraint(
                condition=models.Q(degrade="") | models.Q(degrade__in=Degrade.values),
                name="budgets_degrade_known",
            ),
            models.CheckConstraint(condition=models.Q(limit_usd__gte=0), name="budgets_limit_not_negative"),
            models.CheckConstraint(
                condition=models.Q(fallback_price_usd__isnull=True) | models.Q(fallback_price_usd__gt=0),
                name="budgets_fallback_positive",
            ),
            models.CheckConstraint(condition=models.Q(reserved__gte=0), name="budgets_reserved_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.get_period_display()} ${self.limit_usd.normalize():f}"


class BudgetHold(TenantOwned):
    """Money held back from a budget for one purpose (an answer) until it is settled or expires."""

    updated_at = None  # type: ignore[assignment]  # how Django drops an inherited field

    # The key to the budget names the tenant already, and answers at once need not all lock the tenant's row for it.
    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        default=current_tenant_id,
        editable=False,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    budget = SameTenantForeignKey(Budget, related_name="holds")
    purpose_id = models.UUIDField()
    amount = MoneyField()
    expires_at = models.DateTimeField()

    class Meta(TenantOwned.Meta):
        db_table = "budget_holds"
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "purpose_id", "budget"], name="budget_holds_once"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="budget_holds_not_negative"),
        ]
