"""/metrics: what Prometheus scrapes, of every process in one answer.

They say how the business does, so not everybody may read them: with METRICS_TOKEN whoever sends it as a bearer token,
without it only this machine, and only while this copy is not published (BASE_URL is a loopback address), because behind
a proxy on the same machine everybody's request seems to come from it.
"""

import ipaddress
import logging
import secrets
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit

import redis
from celery import current_app
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from config import metrics_sharing
from tenants.rest.problems import problem

FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host")

_log = logging.getLogger(__name__)


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """`GET /metrics`: the text format or OpenMetrics, as the scraper asks; 401 or 403 for whoever may not read them."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").encode()
        if not secrets.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
            refusal = problem(
                401, "unauthorized", "Send Authorization: Bearer and the value of METRICS_TOKEN."
            )
            refusal["WWW-Authenticate"] = 'Bearer realm="metrics"'
            return refusal
    elif not _from_here(request):
        return problem(
            403, "not_allowed", "Set METRICS_TOKEN to read metrics from elsewhere than this machine."
        )
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    response = HttpResponse(encode(_Everything()), content_type=content_type)
    response["Cache-Control"] = "no-store"
    return response


class _Everything:
    """All processes' metrics, and what Redis knows."""

    def collect(self) -> Iterator[Metric]:
        families = metrics_sharing.own_families()
        client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
        up = GaugeMetricFamily(
            "frontdesk_redis_up", "1 where Redis answers; without it only this process is shown."
        )
        try:
            families += [*metrics_sharing.shared_families(client), *_queues(client), *_seen(client)]
            up.add_metric([], 1)
        except redis.RedisError as error:
            # Half the truth beats none: what this process counts is needed most when something is away.
            _log.warning("metrics of other processes cannot be read: %s", error)
            up.add_metric([], 0)
        finally:
            client.close()
        yield from metrics_sharing.merged([*families, up])


def _queues(client: "redis.Redis") -> list[Metric]:
    waiting = GaugeMetricFamily(
        "frontdesk_queue_waiting", "Tasks that no worker has taken.", labels=["queue"]
    )
    for name in current_app.amqp.queues:
        waiting.add_metric([name], cast(int, client.llen(name)))
    taken = GaugeMetricFamily(
        "frontdesk_queue_taken", "Tasks that workers have taken and not finished, those due later included."
    )
    taken.add_metric([], cast(int, client.hlen("unacked")))
    return [waiting, taken]


def _seen(client: "redis.Redis") -> list[Metric]:
    family = GaugeMetricFamily(
        "frontdesk_last_seen_timestamp_seconds",
        "When a program last did its work: worker every 10 s, beat every 5 s, maintain every minute.",
        labels=["program"],
    )
    for program, moment in metrics_sharing.last_seen(client).items():
        family.add_metric([program], moment)
    return [family]


def _from_here(request: HttpRequest) -> bool:
    published = urlsplit(settings.BASE_URL).hostname or ""
    if not _is_loopback(published) or any(name in request.headers for name in FORWARDED):
        return False
    return _is_loopback(str(request.META.get("REMOTE_ADDR", "")))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
