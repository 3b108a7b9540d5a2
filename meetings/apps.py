from django.apps import AppConfig


class MeetingsConfig(AppConfig):
    name = "meetings"
    is_frontdesk = True
