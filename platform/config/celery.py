"""The Celery application of worker and beat."""

import os

import django
from celery import Celery, signals
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("frontdesk", task_cls="tenants.tasking:TenantTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def prepare() -> None:
    """Set Django up, in a program that is Celery's alone. Raises ConfigurationError where a setting is wrong."""
    django.setup(set_prefix=False)


@signals.worker_init.connect
@signals.beat_init.connect
def refuse_unsafe_role(**_: object) -> None:
    """Worker and beat refuse to start as a role that row-level security does not bind, as the web process does."""
    # Only importable once Django is set up, which Celery does after importing this module.
    from tenants.roles import refuse_if_unsafe

    try:
        refuse_if_unsafe()
    except ImproperlyConfigured as unsafe:
        raise SystemExit(f"refusing to start: {unsafe}") from unsafe
