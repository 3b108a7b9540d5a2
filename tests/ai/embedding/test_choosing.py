"""From a setting to an embedder, the test double, and embedding without a loop."""

import asyncio

import numpy as np
import pytest

from ai.embedding import embedder, join, wait_for
from ai.embedding.hashing import HashingEmbedder
from ai.embedding.local import LocalEmbedder
from ai.embedding.openai import OpenAIEmbedder


def test_a_spec_names_an_embedder(settings):
    assert isinstance(embedder("local"), LocalEmbedder)
    assert isinstance(embedder("openai:text-embedding-3-small"), OpenAIEmbedder)
    settings.EMBEDDING_MODEL = "hashing"
    assert isinstance(embedder(), HashingEmbedder)
    assert embedder("local") is embedder("local")


@pytest.mark.parametrize("spec", ["openai:", "openai", "remote", "local:x"])
def test_another_spec_is_refused_by_name(spec):
    with pytest.raises(ValueError, match=spec):
        embedder(spec)


async def test_the_double_knows_which_words_are_shared():
    double = HashingEmbedder()
    found = await double.embed(["reset the hub", "hub reset", "cat food", "…"], kind="query")
    cosines = found.vectors @ found.vectors.T
    assert cosines[0, 1] > 0.7
    assert abs(cosines[0, 2]) < 0.3
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1)
    again = await double.embed(["reset the hub"], kind="passage")
    assert np.array_equal(again.vectors[0], found.vectors[0])


async def test_parts_are_joined_in_order():
    double = HashingEmbedder()
    first = await double.embed(["one two"], kind="passage")
    second = await double.embed(["three", "four five six"], kind="passage")
    both = join([first, second])
    assert len(both.vectors) == 3
    assert np.array_equal(both.vectors[2], second.vectors[1])
    assert both.usage.input_tokens == 6


def test_callers_without_a_loop_share_one():
    async def loop():
        return asyncio.get_running_loop()

    assert wait_for(loop()) is wait_for(loop())


def test_what_fails_inside_is_raised_outside():
    async def fail():
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        wait_for(fail())
