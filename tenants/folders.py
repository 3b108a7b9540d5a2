"""Where a tenant's files are: a folder of its own under STORAGE_URL, so that no name that anybody chooses leads to
another's."""

import uuid
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from django.conf import settings

FOLDER_MODE: Final = 0o700


def files_root() -> Path:
    """The folder of this machine, or one that all machines of an installation share, that STORAGE_URL names."""
    return Path(unquote(urlsplit(settings.STORAGE_URL).path))


def folder_of(tenant_id: uuid.UUID) -> Path:
    """The tenant's own folder; it need not exist yet."""
    return files_root() / str(tenant_id)
