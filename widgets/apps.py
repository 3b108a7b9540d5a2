from django.apps import AppConfig


class WidgetsConfig(AppConfig):
    name = "widgets"
    is_frontdesk = True

    def ready(self) -> None:
        # Models can only be imported once every app is loaded.
        from billing.costs import ledger
        from widgets.chat.spending import add_to_sessions

        ledger.on_recorded(add_to_sessions)
