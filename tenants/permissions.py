"""The one role table: what a tenant's people may do. The admin and the API both ask here."""

from typing import Final

from django.db import models


class Role(models.TextChoices):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


# Django's permission names, `app.action_model`. A member works with conversations and knowledge; an admin with all but
# billing and deletion of the account; an owner with everything. Nobody edits what is only ever recorded.
MEMBER_MODELS: Final = frozenset(
    {
        "knowledge.document",
        "widgets.session",
        "widgets.message",
        "widgets.visitor",
    }
)
MEMBER_READS: Final = frozenset({"widgets.widget", "widgets.personality"})
OWNER_MODELS: Final = frozenset({"billing.budget", "tenants.export"})
RECORDED_MODELS: Final = frozenset(
    {
        "widgets.session",
        "widgets.message",
        "widgets.visitor",
        "widgets.answerrun",
        "billing.costevent",
        "billing.costsummary",
        "billing.modelprice",
        "billing.budgetalert",
        "billing.budgethold",
        "tenants.authsession",
        "tenants.outboxevent",
        "tenants.webhookdelivery",
        "tenants.auditentry",
        "meetings.meeting",
    }
)


# Who belongs to a tenant and by what they or its programs come in is the tenant's own business.
STAFF_NEVER_CHANGE: Final = frozenset(
    {
        "tenants.user",
        "tenants.apikey",
        "tenants.invitation",
        "tenants.providerkey",
        "tenants.webhookendpoint",
        "tenants.erasurereceipt",
    }
)
# The page of an invitation may show its link, which opens an account; an export is all there is, to be taken away.
STAFF_NEVER_SEE: Final = frozenset({"tenants.invitation", "tenants.export"})


def staff_may(permission: str, *, writes: bool) -> bool:
    """Whether one of the platform's staff who acts for a tenant has a permission: what an admin may see; with `writes`
    also what an admin may add or change, but nothing of how people and programs come in. They delete nothing."""
    app_label, _, name = permission.partition(".")
    action, _, model_name = name.partition("_")
    model = f"{app_label}.{model_name}"
    if model in STAFF_NEVER_SEE or not may(Role.ADMIN, permission):
        return False
    return action == "view" or (writes and action != "delete" and model not in STAFF_NEVER_CHANGE)


def may(role: Role, permission: str) -> bool:
    """Whether `role` has Django's `permission` ("knowledge.change_document")."""
    app_label, _, name = permission.partition(".")
    action, _, model_name = name.partition("_")
    model = f"{app_label}.{model_name}"
    if model in RECORDED_MODELS and action != "view":
        return False
    if role is Role.OWNER:
        return True
    if role is Role.ADMIN:
        return permission != "tenants.delete_tenant" and (model not in OWNER_MODELS or action == "view")
    return model in MEMBER_MODELS or (model in MEMBER_READS and action == "view")
