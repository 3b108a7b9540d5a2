"""Every process's metrics in one scrape: each leaves a copy in Redis every few seconds, and /metrics reads them all.

Processes live in containers and on machines of their own, so a directory that they share is not to be had; Redis is.
Each series carries the process it comes from (`process`, `source`), so that no sum ever runs backwards when one ends.
A copy is forgotten half a minute after its process was last heard of; when each program was last seen is kept.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final, cast

import orjson
import redis
from django.conf import settings
from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric

from kernel import measuring, observing

EVERY_S: Final = 5.0
KEPT_S: Final = 30
KEY: Final = "frontdesk:metrics:"
SEEN: Final = "frontdesk:seen"
"""Hash: program@host by the Unix time at which it last said that it works."""

_log = logging.getLogger(__name__)
_stopping = threading.Event()
# Memory, CPU time and open files of this process.
ProcessCollector(registry=measuring.REGISTRY)


def begin() -> None:
    """Share this process's metrics from now on, in a thread."""
    _stopping.clear()
    threading.Thread(target=_share_until_stopped, name="share-metrics", daemon=True).start()


def end() -> None:
    """Share once more, so that what was counted last is not lost, and stop."""
    if not _stopping.is_set():
        _stopping.set()
        _share(_client())


def seen() -> None:
    """Say that this process does its work now, not merely that it exists. Redis being away is survived: whoever asks
    will not find us seen, which is then so."""
    try:
        _client().hset(SEEN, f"{observing.process()}@{socket.gethostname()}", str(time.time()))
    except redis.RedisError as error:
        _log.warning("could not say that this process works: %s", error)


def last_seen(client: "redis.Redis") -> dict[str, float]:
    """Program by the Unix time at which any of its processes was last seen."""
    found: dict[str, float] = {}
    for name, moment in cast("dict[bytes, bytes]", client.hgetall(SEEN)).items():
        program = name.decode().partition("@")[0]
        found[program] = max(found.get(program, 0.0), float(moment))
    return found


def source() -> str:
    """This process's name among all: host and pid."""
    return f"{socket.gethostname()}:{os.getpid()}"


def own_families() -> list[Metric]:
    """This process's metrics as they are now, every sample labelled with where it comes from."""
    labels = {"process": observing.process(), "source": source()}
    families = [*measuring.REGISTRY.collect(), *_pool()]
    for family in families:
        family.samples = [sample._replace(labels={**sample.labels, **labels}) for sample in family.samples]
    return [family for family in families if family.samples]


def shared_families(client: "redis.Redis") -> Iterator[Metric]:
    """The metrics that the other processes have left."""
    names = [name for name in client.scan_iter(f"{KEY}*", count=500) if name.decode() != KEY + source()]
    for copy in cast("list[bytes | None]", client.mget(names)) if names else ():
        if copy is not None:
            yield from _unpacked(copy)


def merged(families: Iterable[Metric]) -> list[Metric]:
    """One family for each name, with the samples of all."""
    found: dict[str, Metric] = {}
    for family in families:
        known = found.setdefault(family.name, family)
        if known is not family:
            known.samples.extend(family.samples)
    return list(found.values())


def _share_until_stopped() -> None:
    client = _client()
    while not _stopping.wait(EVERY_S):
        _share(client)


def _share(client: "redis.Redis") -> None:
    try:
        client.set(KEY + source(), _packed(own_families()), ex=KEPT_S)
    except redis.RedisError as error:
        _log.warning("metrics not shared: %s", error)


def _packed(families: Iterable[Metric]) -> bytes:
    return orjson.dumps(
        [
            [
                family.name,
                family.documentation,
                family.type,
                [[sample.name, sample.labels, sample.value] for sample in family.samples],
            ]
            for family in families
        ]
    )


def _unpacked(copy: bytes) -> Iterator[Metric]:
    for name, documentation, kind, samples in orjson.loads(copy):
        family = Metric(name, documentation, kind)
        for sample, labels, value in samples:
            family.add_sample(sample, labels, value)
        yield family


def _pool() -> list[Metric]:
    """What this process's pool of database connections does."""
    from django.db import connection  # only importable once the settings are

    if not settings.DATABASES["default"].get("OPTIONS", {}).get("pool"):
        return []
    statistics: dict[str, int] = connection.pool.get_stats()  # type: ignore[attr-defined]  # PostgreSQL's own
    size = Metric("frontdesk_db_pool_connections", "Connections of the pool, by state.", "gauge")
    open_now, idle = statistics.get("pool_size", 0), statistics.get("pool_available", 0)
    size.add_sample(size.name, {"state": "idle"}, idle)
    size.add_sample(size.name, {"state": "used"}, max(0, open_now - idle))
    size.add_sample(size.name, {"state": "allowed"}, statistics.get("pool_max", 0))
    waiting = Metric("frontdesk_db_pool_waiting", "Requests that wait for a connection now.", "gauge")
    waiting.add_sample(waiting.name, {}, statistics.get("requests_waiting", 0))
    failed = Metric("frontdesk_db_pool_timeouts", "Requests that waited for a connection in vain.", "counter")
    failed.add_sample(f"{failed.name}_total", {}, statistics.get("requests_errors", 0))
    return [size, waiting, failed]


@cache
def _client() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
