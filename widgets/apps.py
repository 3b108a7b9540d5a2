from django.apps import AppConfig


class WidgetsConfig(AppConfig):
    name = "widgets"
    is_frontdesk = True

    def ready(self) -> None:
        # Models can only be imported once every app is loaded.
        from billing import usage
        from billing.costs import ledger
        from widgets import counting
        from widgets.chat.spending import add_to_sessions

        ledger.on_recorded(add_to_sessions)
        usage.counts("widgets", counting.active_widgets)
        usage.counts("conversations", counting.conversations)
