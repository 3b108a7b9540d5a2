"""When a failed call to a provider is made again, and after how long: the one rule for chat models and embedders."""

import random
from dataclasses import dataclass

from kernel.errors import ProviderError

# Failures of the connection or the gate, for which nothing was written and nothing is billed. A provider that let us
# wait for half a minute, or wrote nonsense, has worked: asking again is the visitor's decision.
RETRIED = frozenset({"rate_limited", "unavailable", "cut"})


@dataclass(frozen=True, slots=True)
class Patience:
    """So many `retries`, the first after `backoff_s`, each wait twice the one before and up to a quarter more by
    chance; or as long as the provider asks, but never longer than `longest_wait_s`: then it is given up at once."""

    retries: int = 2
    backoff_s: float = 0.25
    longest_wait_s: float = 5.0

    def wait(self, error: ProviderError, retries: int) -> float | None:
        """Seconds to wait before the call is made again, which failed with `error` after so many retries; None: it is
        not, and `error.retry_after` is the caller's to heed."""
        asked = error.retry_after or 0.0
        if retries >= self.retries or asked > self.longest_wait_s:
            return None
        if not (error.retryable and error.code in RETRIED):
            return None
        doubled: float = self.backoff_s * 2**retries
        return max(doubled * random.uniform(1, 1.25), asked)  # noqa: S311  (jitter is no secret)


PATIENT = Patience()
# Where another model waits to answer: a moment's trouble is waited out, no more.
HASTY = Patience(retries=1, longest_wait_s=1.0)
