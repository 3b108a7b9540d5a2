from django.apps import AppConfig


class WidgetsConfig(AppConfig):
    name = "widgets"
    is_frontdesk = True

    def ready(self) -> None:
        # Models can only be imported once every app is loaded.
        from billing import usage
        from billing.costs import ledger
        from tenants import configuring, provisioning
        from tenants.forgetting import holds, holds_outside
        from tenants.retention import ages
        from widgets import ageing, counting, editing, events, starting  # noqa: F401 - events registers its types
        from widgets.chat.spending import add_to_sessions
        from widgets.erasing import holdings

        ledger.on_recorded(add_to_sessions)
        configuring.checks_domains(editing.refuse_outside)
        provisioning.on_new_tenant(starting.first_widget)
        usage.counts("widgets", counting.active_widgets)
        usage.counts("conversations", counting.conversations)
        holds("due_work", holdings.promises_to, holdings.forget_promises)
        holds("files: attachments", holdings.attachments_of, holdings.forget_attachments)
        holds_outside("redis: stream entries of answers", holdings.stream_entries_of, holdings.forget_streams)
        holds_outside("redis: other keys", holdings.keys_of, holdings.forget_keys)
        ages("conversations", ageing.conversations_before, ageing.delete_conversations)
        ages("visitors", ageing.visitors_before, ageing.delete_visitors)
