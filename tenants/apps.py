from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"
    is_frontdesk = True

    def ready(self) -> None:
        # Its types are registered once every app is loaded, and so are models.
        from tenants import forgetting, maintaining, retention
        from tenants.due_erasures import erase_due
        from tenants.exporting import ordering
        from tenants.rest import idempotency
        from tenants.webhooks import events  # noqa: F401 - imported for what it registers
        from tenants.webhooks import forgetting as webhooks

        forgetting.holds("idempotency_records", idempotency.answers_about, idempotency.forget_answers)
        forgetting.holds("outbox", webhooks.events_of, webhooks.forget)
        forgetting.holds_outside(
            "files: archives of exports", ordering.archives_with, ordering.forget_archives
        )
        maintaining.on_round(erase_due)
        retention.ages("events of webhooks", webhooks.events_before, webhooks.delete_events)
