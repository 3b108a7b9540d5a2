"""`Idempotency-Key`: a POST sent again has one effect and gets one response.

Where the view runs in one transaction, the record is part of it: a second request with the key waits at the unique
index until the first commits, and then reads what it answered; when the first fails, both record and effect are gone
and the next one tries. Where the view calls a provider, no transaction may wait: the record is committed first, with a
lease, and others wait for its answer. A response is kept for a day, to its own caller only; errors are not kept.
"""

import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.core.files.uploadedfile import UploadedFile
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.request import Request

from kernel.clock import now
from kernel.errors import Conflict, FrontdeskError, InvalidInput
from kernel.ids import uuid7
from tenants.context import TenantRef, acting_as, run_as
from tenants.forgetting import Person
from tenants.models import IdempotencyRecord

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
KEPT_HEADERS: Final = ("Content-Type", "Location")
MAX_LENGTH: Final = 255
MAX_BODY: Final = 4 * 1024 * 1024
KEPT_FOR: Final = timedelta(hours=24)
# Longer than the slowest answer: after it, whoever ran the request is taken for dead.
LEASE: Final = timedelta(minutes=5)
WAIT_S: Final = 30.0
POLL_S: Final = 0.1

CLAIM: Final = """
    INSERT INTO idempotency_records (id, tenant_id, caller, key, request_hash, lease_until, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (tenant_id, caller, key) DO UPDATE
    SET id = excluded.id, request_hash = excluded.request_hash, status = NULL, body = '', headers = '{}',
        lease_until = excluded.lease_until, expires_at = excluded.expires_at
    WHERE idempotency_records.expires_at < now()
       OR (idempotency_records.status IS NULL AND idempotency_records.lease_until < now()
           AND idempotency_records.request_hash = excluded.request_hash)
    RETURNING id
"""


ABOUT: Final = """
    SELECT r.id FROM idempotency_records r
    WHERE EXISTS (SELECT FROM unnest(%s::bytea[]) AS one(id) WHERE position(one.id IN r.body) > 0)
"""


class KeyReused(FrontdeskError):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    status = 422


class StillRunning(Conflict):
    """The first request with this key has not been answered yet."""

    code = "idempotency_in_progress"
    retry_after = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """This request is the one that runs for its key."""

    id: UUID
    tenant: TenantRef


@dataclass(frozen=True, slots=True)
class Once:
    """One request with a key: who sent it, for whom, and what it asks."""

    tenant: TenantRef
    caller: UUID
    key: str
    request_hash: str

    def claim(self) -> Claim | HttpResponse | None:
        """Inside `acting_as`: the right to run, the response there is already, or None while another one runs.

        Waits where another transaction holds the key. Raises KeyReused (422) for another request under the same key.
        """
        moment = now()
        identifier = uuid7()
        arguments: list[UUID | str] = [identifier, self.tenant.id, self.caller, self.key, self.request_hash]
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, [*arguments, moment + LEASE, moment + KEPT_FOR])
            if cursor.fetchone() is not None:
                return Claim(identifier, self.tenant)
        record = IdempotencyRecord.objects.filter(caller=self.caller, key=self.key).first()
        if record is None:
            return None  # it failed and was forgotten at this moment
        if record.request_hash != self.request_hash:
            raise KeyReused(f"{HEADER} was used for another request before; take a new one.")
        return _replayed(record) if record.status is not None else None

    def claim_or_wait(self) -> Claim | HttpResponse:
        """Outside any transaction: as `claim`, waiting up to WAIT_S seconds. Raises StillRunning (409) after that."""
        deadline = time.monotonic() + WAIT_S
        while True:
            with acting_as(self.tenant):
                found = self.claim()
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise StillRunning("The first request with this key is still running.")
            time.sleep(POLL_S)


def once(request: Request, tenant: TenantRef, caller: UUID) -> Once | None:
    """The request's key and what it asks; None without one. Raises InvalidInput for a key that is no plain text."""
    if request.method != "POST" or HEADER not in request.headers:
        return None
    key = request.headers[HEADER].strip()
    if not 0 < len(key) <= MAX_LENGTH or not key.isascii() or not key.isprintable():
        raise InvalidInput.of(HEADER, f"1 to {MAX_LENGTH} printable ASCII characters, such as a UUID")
    return Once(tenant, caller, key, _digest(request))


def keep(claim: Claim, response: HttpResponse) -> None:
    """Inside `acting_as`: what the request was answered. An error is forgotten, so that the next one tries again."""
    record = IdempotencyRecord.objects.filter(pk=claim.id)
    if response.status_code >= 400 or len(response.content) > MAX_BODY:
        record.delete()
        return
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    record.update(status=response.status_code, headers=headers, body=response.content)


def forget(claim: Claim) -> None:
    """The request failed: whoever sends it again runs it."""
    with acting_as(claim.tenant):
        IdempotencyRecord.objects.filter(pk=claim.id).delete()


def kept_stream(claim: Claim, response: StreamingHttpResponse) -> StreamingHttpResponse:
    """The stream as it is, which keeps what has passed once it has ended; a broken one is forgotten."""
    frames = response.streaming_content

    async def passing() -> AsyncIterator[bytes]:
        passed = bytearray()
        is_whole = False
        try:
            async for frame in frames:  # type: ignore[union-attr]  # our streams are asynchronous
                passed += frame
                yield frame
            is_whole = True
        finally:
            whole = HttpResponse(bytes(passed), content_type=response["Content-Type"])
            whole.status_code = response.status_code if is_whole else 499
            await run_as(claim.tenant, keep, claim, whole)

    response.streaming_content = passing()
    return response


def forget_expired() -> int:
    """Inside `acting_as`: delete the tenant's records of more than a day ago; how many."""
    return IdempotencyRecord.objects.filter(expires_at__lt=now()).delete()[0]


def answers_about(person: Person) -> int:
    """Inside `acting_as`: how many kept answers hold one of the person's ids, and with it what was said."""
    return len(_about(person))


def forget_answers(person: Person) -> None:
    """Inside `acting_as`: delete these; the same request sent again is a new one."""
    IdempotencyRecord.objects.filter(pk__in=_about(person)).delete()


def _about(person: Person) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(ABOUT, [[str(one).encode() for one in person.ids]])
        return [identifier for (identifier,) in cursor.fetchall()]


def _replayed(record: IdempotencyRecord) -> HttpResponse:
    response = HttpResponse(bytes(record.body), status=record.status)
    for name, value in record.headers.items():
        response[name] = value
    response[REPLAYED] = "true"
    return response


def _digest(request: Request) -> str:
    """SHA-256 of path, query and body as it was understood; a file counts by its bytes."""
    data = request.data
    if isinstance(data, dict) and any(isinstance(value, UploadedFile) for value in data.values()):
        data = {name: _content(value) for name, value in data.items()}
    parts = (request.path.rstrip("/"), request.META.get("QUERY_STRING", ""), data)
    return hashlib.sha256(orjson.dumps(parts, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _content(value: Any) -> Any:
    if not isinstance(value, UploadedFile):
        return value
    value.seek(0)
    digest = hashlib.sha256()
    for piece in value.chunks():
        digest.update(piece)
    value.seek(0)
    return [value.name, digest.hexdigest()]
