from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"
    is_frontdesk = True

    def ready(self) -> None:
        # Its types are registered once every app is loaded.
        from tenants.webhooks import events  # noqa: F401 - imported for what it registers
