"""A running copy of the whole product, with a tenant whose programs call it, and one whose rows must not be seen."""

import json
from pathlib import Path

import pytest

from benchmarks.installation import installed
from config.api import document


@pytest.fixture(scope="session")
def copy():
    with installed() as installation:
        yield installation


@pytest.fixture(scope="session")
def acme(copy):
    return copy.tenant("acme")


@pytest.fixture(scope="session")
def bolt(copy):
    return copy.tenant("bolt")


@pytest.fixture(scope="session")
def openapi_file(tmp_path_factory) -> Path:
    """The document as generators read it."""
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_text(json.dumps(document()))
    return path
