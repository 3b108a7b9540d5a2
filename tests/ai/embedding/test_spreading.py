"""Spreading a short vector over 1,024 dimensions: cosines stay, signs carry it, and it is the same for ever."""

import hashlib

import numpy as np
import pytest

from ai.embedding import DIMENSIONS
from ai.embedding.spreading import spread


def unit(count, dimensions, seed=1):
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("dimensions", [1, 384, 768, DIMENSIONS])
def test_every_cosine_stays(dimensions):
    vectors = unit(20, dimensions)
    assert np.allclose(spread(vectors) @ spread(vectors).T, vectors @ vectors.T, atol=1e-5)


def test_whole_vectors_stay_as_they_are():
    vectors = unit(3, DIMENSIONS)
    assert spread(vectors) is vectors


def test_the_signs_tell_near_from_far_better_than_padding():
    stored, asked = unit(2_000, 384), unit(20, 384, seed=2)
    padded = [np.pad(vectors, ((0, 0), (0, DIMENSIONS - 384))) for vectors in (stored, asked)]
    assert kept(spread(stored), spread(asked)) > kept(*padded) + 0.1


def test_stored_vectors_mean_the_same_for_ever():
    digest = hashlib.sha256(spread(np.eye(384, dtype=np.float32)).tobytes()).hexdigest()
    assert digest == "30dd4b3975450ea4f8465d59cb2ef2eaabaffb6e2ded479118d15737790d174e"


def kept(stored, asked):
    """The share of the ten nearest among the best 200 by their signs."""
    differing = (stored[:, None] > 0) != (asked[None] > 0)
    shares = []
    for number, question in enumerate(asked):
        nearest = np.argsort(-(stored @ question))[:10]
        best = np.argsort(differing[:, number].sum(axis=1))[:200]
        shares.append(np.isin(nearest, best).mean())
    return np.mean(shares)
