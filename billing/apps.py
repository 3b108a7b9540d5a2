from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"
    is_frontdesk = True

    def ready(self) -> None:
        # Models can only be imported once every app is loaded.
        from django.db.models.signals import post_save

        from billing.costs import (
            ageing,
            debounce,
            events,  # noqa: F401 - imported for what it registers
            forgetting,
            starting,
        )
        from tenants import maintaining, provisioning
        from tenants.forgetting import holds
        from tenants.models import Tenant

        post_save.connect(debounce.fold_once_saved, sender=Tenant, dispatch_uid="billing.fold_once_saved")
        provisioning.on_new_tenant(starting.first_budget)
        holds("cost_events", forgetting.events_of, forgetting.forget)
        maintaining.on_round(ageing.delete_old_events_of_everybody)
