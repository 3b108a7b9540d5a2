from django.apps import AppConfig


class MeetingsConfig(AppConfig):
    name = "meetings"
    is_frontdesk = True

    def ready(self) -> None:
        # Models can only be imported once every app is loaded.
        from meetings import forgetting
        from tenants.forgetting import holds

        holds("meetings", forgetting.meetings_of, forgetting.forget)
