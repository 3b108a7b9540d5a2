"""Retrieval on real questions, as a customer's program sees it: documents loaded and questions asked through the REST
API of a running copy, with the offline embedder (goals.md, "Right": retrieval and abstaining).

    python -m benchmarks.retrieval_quality --data FOLDER      (or FRONTDESK_EVAL_DATA=FOLDER make bench)

FOLDER holds documents.jsonl and questions.jsonl; each knowledge base in them becomes a tenant. Metrics are the usual:
nDCG@10 with binary relevance, recall in the first 5 documents, and the area under the ROC curve of the confidence of
answerable against other questions (the chance that an answerable one is surer, ties half). BM25 alone is the same
passages in the order of their keyword score, compared by paired bootstrap.
"""

import argparse
import asyncio
import json
import math
import os
import random
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from benchmarks.installation import Installation, Tenant, installed
from benchmarks.knowledge_base import Api
from benchmarks.table import Row, figure, not_run, ratio, render

TITLE: Final = "retrieval and abstaining on real questions (goals.md, Right)"
DATA: Final = "FRONTDESK_EVAL_DATA"
# nDCG@10 and R@5 by knowledge base.
BARS: Final = {"aws": (0.95, 0.97), "squad": (0.90, 0.95), "xquad_de": (0.95, 0.97)}
AUROC_BARS: Final = {"off_topic": 0.99, "account_or_smalltalk": 0.95}
REFUSED_BAR: Final = 0.05
THRESHOLDS: Final = {"en": 0.36, "de": 0.28}
"""The shipped ones (knowledge.confidence): of the local embedder, and where only the words count."""
RESAMPLES: Final = 2_000
EXACT: Final = "SELECT chunk_id FROM chunk_embeddings ORDER BY embedding <=> %s::halfvec(1024) LIMIT 10"
SIZES: Final = (
    "SELECT pg_total_relation_size('pool.knowledge_postings'),"
    " (SELECT sum(octet_length(content)) FROM pool.knowledge_chunks)"
)
LOAD_S: Final = 1_800.0


class Asked(NamedTuple):
    """A question and what was found: documents of the ten best passages, by score and by keyword; the confidence."""

    question: dict[str, Any]
    ranked: list[str]
    by_words: list[str]
    confidence: float
    milliseconds: float


def measure(full: bool) -> list[Row]:
    """The rows of every knowledge base in FRONTDESK_EVAL_DATA; one row that says so where there is none."""
    folder = os.environ.get(DATA)
    if not folder or not (Path(folder) / "documents.jsonl").is_file():
        return [not_run(TITLE, "no data")]
    return of_folder(Path(folder))


def of_folder(folder: Path, only: Sequence[str] = ()) -> list[Row]:
    """The rows of the knowledge bases in `folder`, or of those named."""
    documents, questions = _read(folder / "documents.jsonl"), _read(folder / "questions.jsonl")
    with installed(EMBEDDING_MODEL="local") as copy:
        rows: list[Row] = []
        for kb in sorted({document["kb"] for document in documents}):
            if only and kb not in only:
                continue
            mine = [document for document in documents if document["kb"] == kb]
            asked = [question for question in questions if question["kb"] == kb]
            tenant = copy.tenant(kb.replace("_", "-"))
            rows += asyncio.run(_measure_one(copy, tenant, kb, mine, asked))
            if mine[0]["lang"] == "en":
                rows += _nearest_found(copy, tenant, kb, asked)
        return [*rows, _index_size(copy)]


async def _measure_one(
    copy: Installation, tenant: Tenant, kb: str, documents: list[Any], questions: list[Any]
) -> list[Row]:
    async with aiohttp.ClientSession() as http:
        api = Api(http, copy.url, tenant.api_key)
        began = time.monotonic()
        await _load(api, documents)
        loading = time.monotonic() - began
        results = [await _ask(api, question) for question in questions]
    rows = _rows(kb, results)
    known = {document["doc_id"] for document in documents}
    foreign = sum(document not in known for asked in results for document in asked.ranked)
    rows.append(figure(f"{kb}: documents of another tenant", foreign, "", 0))
    rows.append(figure(f"{kb}: documents loaded per second", len(documents) / loading, "/s"))
    middle = sorted(asked.milliseconds for asked in results)[len(results) // 2]
    return [*rows, figure(f"{kb}: one search over HTTP, median", middle, "ms")]


def _rows(kb: str, results: list[Asked]) -> list[Row]:
    answerable = [asked for asked in results if asked.question["answerable"]]
    gains = [ndcg(asked.ranked, asked.question["gold_doc_ids"]) for asked in answerable]
    plain = [ndcg(asked.by_words, asked.question["gold_doc_ids"]) for asked in answerable]
    found = [recall(asked.ranked, asked.question["gold_doc_ids"]) for asked in answerable]
    ndcg_bar, recall_bar = BARS.get(kb, (None, None))
    low = _upper_end([ours - theirs for ours, theirs in zip(gains, plain, strict=True)])
    rows = [
        ratio(
            f"{kb}: nDCG@10 against BM25 alone",
            mean(gains),
            mean(plain),
            "",
            None,
            note=f"{len(gains)} questions",
        ),
        figure(f"{kb}: nDCG@10", mean(gains), "", ndcg_bar, direction="at least"),
        figure(f"{kb}: R@5", mean(found), "", recall_bar, direction="at least"),
        figure(f"{kb}: over BM25 alone, upper end of 95 %", low, "", 0, direction="at least"),
    ]
    kinds = defaultdict(list)
    for asked in results:
        if not asked.question["answerable"]:
            kinds[asked.question["kind"]].append(asked)
    threshold = THRESHOLDS[answerable[0].question["lang"]]
    for kind, others in sorted(kinds.items()):
        area = auroc([asked.confidence for asked in answerable], [asked.confidence for asked in others])
        abstained = mean([asked.confidence < threshold for asked in others])
        note = f"{abstained:.0%} abstained from"
        rows.append(
            figure(f"{kb}: AUROC {kind}", area, "", AUROC_BARS.get(kind), direction="at least", note=note)
        )
    refused = mean([asked.confidence < threshold for asked in answerable])
    return [*rows, figure(f"{kb}: answerable but refused", refused, "", REFUSED_BAR)]


def _nearest_found(copy: Installation, tenant: Tenant, kb: str, questions: list[Any]) -> list[Row]:
    """How many of the ten nearest by the vectors, worked out exactly, the scan of their codes finds."""
    os.environ.update(copy.environment)
    import django

    django.setup()  # before anything that defines models is imported
    from django.db import connection

    from ai.embedding import embedder, wait_for
    from knowledge import search
    from knowledge.statements import statement
    from tenants.context import TenantRef, acting_as

    connection.ensure_connection()
    shares: dict[bool, list[float]] = defaultdict(list)
    for question in questions:
        found = wait_for(embedder("local").embed([question["question"]], kind="query"))
        with acting_as(TenantRef(uuid.UUID(tenant.id), "pool")), connection.cursor() as cursor:
            asked = search.parameters("", found.vectors[0], found.model, 10)
            cursor.execute(statement("search"), {**asked, "languages": None})
            ours = {row[2] for row in cursor.fetchall()}
            cursor.execute(EXACT, [asked["vector"]])
            nearest = {chunk for (chunk,) in cursor.fetchall()}
        shares[question["kind"] in ("off_topic", "account_or_smalltalk")].append(
            len(ours & nearest) / len(nearest)
        )
    bar, direction = 0.98, "at least"
    return [
        figure(
            f"{kb}: recall@10 of the vectors, {'off' if off else 'on'} topic",
            mean(found),
            "",
            bar,
            direction=direction,
        )
        for off, found in sorted(shares.items())
    ]


def _index_size(copy: Installation) -> Row:
    """The keyword index of all knowledge bases together, beside the text of their chunks."""
    import psycopg

    from config import env

    with psycopg.connect(env.embedded_postgres_url(copy.home, env.SUPERUSER_ROLE)) as database:
        index, text = database.execute(SIZES).fetchone() or (0, 0)
    return ratio("keyword index, bytes per byte of chunk text", index / 1e6, float(text) / 1e6, "MB", 2.0)


async def _load(api: Api, documents: list[Any]) -> None:
    gate = asyncio.Semaphore(4)

    async def send(document: Any) -> None:
        async with gate:
            body = {
                "title": document["title"],
                "content": document["text"],
                "external_id": document["doc_id"],
            }
            await api.post("documents/", body)

    await asyncio.gather(*map(send, documents))
    deadline = time.monotonic() + LOAD_S
    while (
        waiting := (await api.get("documents/", limit=1, status="pending"))["results"]
        or (await api.get("documents/", limit=1, status="processing"))["results"]
    ):
        if time.monotonic() > deadline:
            raise RuntimeError(f"not loaded in {LOAD_S:g} s, for one {waiting[0]['title']}")
        await asyncio.sleep(0.5)
    failed = await api.get("documents/", limit=1, status="failed")
    if failed["results"]:
        raise RuntimeError(f"{failed['results'][0]['title']}: {failed['results'][0]['error']}")


async def _ask(api: Api, question: Any) -> Asked:
    body = {"query": question["question"], "limit": 50, "history": question["history"]}
    began = time.monotonic()
    answer = await api.post("search/", body)
    elapsed = (time.monotonic() - began) * 1000
    hits = answer["results"]
    by_words = sorted(
        (hit for hit in hits if hit["scores"]["keyword"]), key=lambda hit: -hit["scores"]["keyword"]
    )
    return Asked(question, _documents(hits), _documents(by_words), answer["confidence"], elapsed)


def _documents(hits: list[Any]) -> list[str]:
    """Documents of the ten best passages, each once."""
    return list(dict.fromkeys(hit["external_id"] for hit in hits[:10]))


def ndcg(ranked: Sequence[str], gold: Sequence[str]) -> float:
    """Normalised discounted cumulative gain of the first ten, every gold document worth the same."""
    gain = sum(1 / math.log2(place + 2) for place, document in enumerate(ranked[:10]) if document in gold)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(10, len(gold))))


def recall(ranked: Sequence[str], gold: Sequence[str]) -> float:
    """The share of gold documents among the first five."""
    return len(set(ranked[:5]) & set(gold)) / min(len(gold), 5)


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The chance that a positive is above a negative; ties count half."""
    wins = sum((yes > no) + (yes == no) / 2 for yes in positives for no in negatives)
    return wins / (len(positives) * len(negatives))


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _upper_end(differences: list[float]) -> float:
    """The upper end of the 95 % interval of the mean, by bootstrap: below 0, we are surely worse."""
    chooser = random.Random(7)
    means: list[float] = sorted(
        mean(chooser.choices(differences, k=len(differences))) for _ in range(RESAMPLES)
    )
    return means[int(RESAMPLES * 0.975)]


def _read(file: Path) -> list[Any]:
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main(show: Callable[[str], object] = print) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval_quality", description=TITLE)
    parser.add_argument(
        "--data", default=os.environ.get(DATA), help="folder of documents.jsonl and questions.jsonl"
    )
    parser.add_argument("--kb", action="append", default=[], help="only this knowledge base; may be repeated")
    arguments = parser.parse_args()
    if not arguments.data or not (Path(arguments.data) / "documents.jsonl").is_file():
        show(render([not_run(TITLE, "no data")]))
        return 0
    show(render(of_folder(Path(arguments.data), arguments.kb)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
