"""A tenant's own key for an AI provider: the row. What is done with it stands in `tenants.bringing_keys`."""

from django.db import models

from tenants.encrypted import EncryptedField
from tenants.ownership import SameTenantForeignKey, TenantOwned


class Provider(models.TextChoices):
    """Whose models a tenant may pay for itself."""

    OPENAI = "openai", "OpenAI"
    ANTHROPIC = "anthropic", "Anthropic"
    VOYAGE = "voyage", "Voyage AI"


class ProviderKey(TenantOwned):
    """One key for each provider at most. It is written and never shown again: `last4` is all that is.

    `refused_at` and `refusal` say when and why the provider would not take it; they are cleared by the next call that
    it pays for, and by a new key.
    """

    provider = models.CharField(max_length=16, choices=Provider)
    secret = EncryptedField()
    last4 = models.CharField(max_length=4, editable=False)
    set_by = SameTenantForeignKey(
        "tenants.User", database_action="SET NULL", null=True, editable=False, related_name="+"
    )
    refused_at = models.DateTimeField(null=True, editable=False)
    refusal = models.CharField(max_length=300, blank=True, default="", db_default="", editable=False)

    class Meta(TenantOwned.Meta):
        db_table = "provider_keys"
        ordering = ["provider"]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "provider"], name="provider_keys_one_each"),
            models.CheckConstraint(
                condition=models.Q(provider__in=Provider.values), name="provider_keys_provider_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} …{self.last4}"
