"""The admin's pages of the account: its settings, team, invitations and API keys."""

from tenants.admin.account import AccountAdmin
from tenants.admin.invitations import InvitationAdmin
from tenants.admin.keys import ApiKeyAdmin
from tenants.admin.team import TeamAdmin

__all__ = ["AccountAdmin", "ApiKeyAdmin", "InvitationAdmin", "TeamAdmin"]
