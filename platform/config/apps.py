from importlib import import_module

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # shared_task binds to whichever Celery application is current: make it ours in every process.
        import_module("config.celery")
        import_module("config.observed_tasks")
        import_module("config.operating").watch_programs()
