from django.apps import AppConfig


class MeetingsConfig(AppConfig):
    name = "meetings"
    is_frontdesk = True

    def ready(self) -> None:
        # Models can only be imported once every app is loaded.
        from meetings import ageing, forgetting
        from tenants.forgetting import holds
        from tenants.retention import ages

        holds("meetings", forgetting.meetings_of, forgetting.forget)
        ages("meetings", ageing.meetings_before, ageing.delete_meetings)
