"""Workers say every ten seconds, in Redis, that they live; /readyz asks whether one did within the last minute."""

import logging
import os
import socket
import threading
import time
from typing import Any, cast

import redis
from celery.signals import worker_ready, worker_shutdown
from django.conf import settings

from kernel import observing

BEAT_S = 10.0
SEEN_WITHIN_S = 60.0
_WORKERS = "frontdesk:workers"  # sorted set: worker's name by the Unix time of its last beat

_log = logging.getLogger(__name__)
_stopping = threading.Event()


def beat(client: redis.Redis, name: str) -> None:
    """Note that worker `name` lives now, and forget those not heard of for a minute."""
    now = time.time()
    with client.pipeline() as pipe:
        pipe.zadd(_WORKERS, {name: now})
        pipe.zremrangebyscore(_WORKERS, "-inf", now - SEEN_WITHIN_S)
        pipe.execute()


def workers_seen(client: redis.Redis) -> int:
    """How many workers beat within the last minute."""
    # redis-py types one answer for its blocking and its asyncio client.
    return cast(int, client.zcount(_WORKERS, time.time() - SEEN_WITHIN_S, "+inf"))


def forget_workers(client: redis.Redis) -> None:
    """Forget every worker: none runs, as `up` knows before it starts its first."""
    client.delete(_WORKERS)


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _beat_until_stopped() -> None:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5)
    while not _stopping.is_set():
        try:
            beat(client, _name())
            observing.works()
        except redis.RedisError as error:
            # The worker itself waits for Redis to come back; so do we.
            _log.warning("heartbeat not written: %s", error)
        _stopping.wait(BEAT_S)


def _begin(**kwargs: Any) -> None:
    _stopping.clear()
    threading.Thread(target=_beat_until_stopped, name="heartbeat", daemon=True).start()


def _end(**kwargs: Any) -> None:
    _stopping.set()
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2).zrem(_WORKERS, _name())
    except redis.RedisError:
        _log.warning("this worker could not be taken off the list of those that live")


worker_ready.connect(_begin)
worker_shutdown.connect(_end)
