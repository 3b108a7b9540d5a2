import pytest


@pytest.fixture
def stage(transactional_db, settings):
    """Real transactions: ingest opens and commits its own."""
    settings.CELERY_TASK_ALWAYS_EAGER = False
