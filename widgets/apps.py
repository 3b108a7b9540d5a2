from django.apps import AppConfig


class WidgetsConfig(AppConfig):
    name = "widgets"
    is_frontdesk = True

    def ready(self) -> None:
        # Models can only be imported once every app is loaded.
        from billing import usage
        from billing.costs import ledger
        from tenants import configuring, provisioning
        from widgets import counting, editing, events, starting  # noqa: F401 - events registers its types
        from widgets.chat.spending import add_to_sessions

        ledger.on_recorded(add_to_sessions)
        configuring.checks_domains(editing.refuse_outside)
        provisioning.on_new_tenant(starting.first_widget)
        usage.counts("widgets", counting.active_widgets)
        usage.counts("conversations", counting.conversations)
