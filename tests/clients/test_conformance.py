"""Every operation of the OpenAPI document, tried by schemathesis over HTTP: bounded here, longer in `make soak`."""

import pytest

from benchmarks.api_fuzzing import try_all
from config.api import document
from config.describing import operations

pytestmark = pytest.mark.live

SECONDS = 30


def test_no_5xx_and_nothing_undocumented(copy, bolt):
    tried = try_all(copy.url, copy.tenant("tried").api_key, seconds=SECONDS, examples=2, seed=1)
    assert (tried.failures, tried.errors) == (0, 0), tried.problems
    assert tried.operations == len(list(operations(document())))
    assert tried.cases > tried.operations
    assert copy.is_ready()
