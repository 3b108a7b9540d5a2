"""The admin's pages of the account: its settings, team, invitations, API keys, keys for providers, audit,
erasures, exports, webhooks."""

from tenants.admin.account import AccountAdmin
from tenants.admin.audit import AuditEntryAdmin
from tenants.admin.erasures import ErasureReceiptAdmin
from tenants.admin.exports import ExportAdmin
from tenants.admin.invitations import InvitationAdmin
from tenants.admin.keys import ApiKeyAdmin
from tenants.admin.provider_keys import ProviderKeyAdmin
from tenants.admin.team import TeamAdmin
from tenants.admin.webhook_deliveries import WebhookDeliveryAdmin
from tenants.admin.webhooks import WebhookEndpointAdmin

__all__ = [
    "AccountAdmin",
    "ApiKeyAdmin",
    "AuditEntryAdmin",
    "ErasureReceiptAdmin",
    "ExportAdmin",
    "InvitationAdmin",
    "ProviderKeyAdmin",
    "TeamAdmin",
    "WebhookDeliveryAdmin",
    "WebhookEndpointAdmin",
]
