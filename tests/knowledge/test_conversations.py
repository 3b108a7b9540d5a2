"""What was said before helps where the question leans on it, and does not get in the way where the topic changes.

With the real embedder, over the demo's corpus: the figures that EARLIER_MEANING and EARLIER_WORDS were chosen by.
"""

import pytest

from ai.embedding.blocking import wait_for
from config.demo import corpus
from config.demo.companies import COMPANIES
from knowledge import search
from tenants.context import acting_as
from tests import conversations

LEANING = [
    ("How long is the warranty?", "and for batteries?", "warranty"),
    ("What is the maximum power of the plug?", "does it also work outdoors?", "smart-plug"),
    ("How do I return a bulb?", "how long does that take?", "returns"),
    ("How many door codes can I have?", "and how do I delete one?", "door-lock"),
    ("Do you ship to Switzerland?", "what does it cost?", "shipping"),
    ("How do I connect Alexa?", "and Google?", "voice-assistants"),
    ("Where should I place the leak sensor?", "how many do I need?", "leak-sensor"),
    ("How do I cancel Acme Care?", "do I get money back?", "subscription-plans"),
]
CHANGING = [
    ("How do I set up my hub?", "What is your return policy?", "returns"),
    ("How do I set up my hub?", "How long is the warranty?", "warranty"),
    ("Do you ship to Switzerland?", "How do I enable two-factor authentication?", "privacy-and-security"),
    ("How do I connect Alexa?", "What does a turning green light mean?", "ring-colours"),
    ("What is the maximum power of the plug?", "How many door codes can I have?", "door-lock"),
    ("How long is the warranty?", "How do I make the lights come on at sunset?", "scenes-and-schedules"),
    ("How do I return a bulb?", "Can it close the main water pipe automatically?", "leak-sensor"),
    ("How do I cancel Acme Care?", "Do you ship to Switzerland?", "shipping"),
]
OFF_TOPIC = [
    ("How do I set up my hub?", "Who won the world cup in 1954?"),
    ("What is your return policy?", "What is the capital of Mongolia?"),
    ("How do I connect Alexa?", "How do I bake sourdough bread?"),
    ("Do you ship to Switzerland?", "Who painted the Mona Lisa?"),
]


@pytest.fixture
def acme_knows(acme, bolt, settings):
    settings.EMBEDDING_MODEL = "local"
    conversations.teach(bolt, "Returns", "A Bolt scooter is returned to any station in the zone.")
    (company,) = [company for company in COMPANIES if company.slug == "acme"]
    for document in corpus.read(company.corpus):
        conversations.teach(acme, document.title, document.content, external_id=document.name)
    return acme


def found(tenant, earlier, question):
    query = search.prepare(
        question, [{"role": "user", "content": earlier}, {"role": "assistant", "content": "Well."}]
    )
    embeddings = wait_for(search.embed_query(query))
    with acting_as(tenant):
        return search.find(query, embeddings, limit=5)


@pytest.mark.django_db(transaction=True)
def test_earlier_turns_help_and_do_not_get_in_the_way(acme_knows):
    def right(cases):
        return [case for case in cases if found(acme_knows, *case[:2]).results[0].external_id == case[2]]

    leaning, changing = right(LEANING), right(CHANGING)
    assert len(changing) == len(CHANGING), set(CHANGING) - set(changing)
    assert len(leaning) >= len(LEANING) - 1, set(LEANING) - set(leaning)
    answered = [case for case in OFF_TOPIC if found(acme_knows, *case).supported]
    assert answered == []
