"""How sure we are that the passages found answer the question, as one number from 0 to 1."""

from dataclasses import dataclass

from ai.embedding import Vectors
from knowledge import intents

COSINE_WEIGHT, COVERAGE_WEIGHT = 0.6, 0.4


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a search found out: the best cosine of any passage; the largest share, weighted by how rare they are, of the
    question's words in one of the five best; whether the vectors counted (they do not for a language that the model
    was not trained on)."""

    best_cosine: float
    coverage: float
    by_meaning: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """Below `threshold` we abstain; `words_only` is the threshold where only the words counted."""

    threshold: float
    words_only: float


# A threshold belongs to an embedding model. MiniLM's keeps refusals of answerable questions under 5 % on each of five
# knowledge bases (aws 0, squad 0.6, our two demo corpora 4 to 7 %, see benchmarks/retrieval_quality.py) and abstains
# from 96 to 100 % of what is off topic. Other models get the same figure until somebody measures them.
DEFAULT = Calibration(threshold=0.36, words_only=0.28)
CALIBRATIONS: dict[str, Calibration] = {"all-MiniLM-L6-v2": DEFAULT}


def confidence(evidence: Evidence, model: str, question: Vectors) -> float:
    """0.6 of the best cosine and 0.4 of the coverage, less what speaks for small talk or a personal matter."""
    if not evidence.by_meaning:
        return _share(evidence.coverage)
    similarity = COSINE_WEIGHT * evidence.best_cosine + COVERAGE_WEIGHT * evidence.coverage
    return _share(similarity - intents.excess(model, question, evidence.best_cosine))


def is_supported(value: float, evidence: Evidence, model: str) -> bool:
    """Whether a confidence is enough to answer."""
    calibration = CALIBRATIONS.get(model, DEFAULT)
    return value >= (calibration.threshold if evidence.by_meaning else calibration.words_only)


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)
