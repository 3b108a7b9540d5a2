"""The real model on the demo's corpora: the right page, and an honest doubt. A few dozen questions, not a benchmark."""

import pytest

from knowledge import search
from tests.knowledge import corpus
from tests.knowledge.questions import ANSWERABLE, OFF_TOPIC, PERSONAL_OR_SMALL_TALK


@pytest.fixture
def answered(acme, bolt, settings):
    """Outcome and expected page of every question, and the confidences of those that nothing answers."""
    settings.EMBEDDING_MODEL = "local"
    corpus.load(acme, "acme")
    corpus.load(bolt, "bolt")
    good, bad = [], []
    for tenant in (acme, bolt):
        good += [(search.search(tenant, question), page) for question, page in ANSWERABLE[tenant.slug]]
        bad += [search.search(tenant, question) for question in [*PERSONAL_OR_SMALL_TALK, *OFF_TOPIC]]
    return good, bad


def test_pages_are_found_and_the_rest_is_doubted(answered):
    good, bad = answered
    in_first_five = [page in [hit.external_id for hit in outcome.results[:5]] for outcome, page in good]
    assert sum(in_first_five) / len(in_first_five) >= 0.97
    refused = [outcome for outcome, _ in good if not outcome.supported]
    assert len(refused) / len(good) <= 0.08
    abstained = [outcome for outcome in bad if not outcome.supported]
    assert len(abstained) / len(bad) >= 0.97
    pairs = [(yes.confidence > no.confidence) for yes, _ in good for no in bad]
    assert sum(pairs) / len(pairs) >= 0.99
