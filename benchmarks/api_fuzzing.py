"""The REST API against its own OpenAPI document.

schemathesis tries every operation with a full-scope key, with what the document allows and with what it does not, and
checks each answer: no 5xx, and no status, type or body that the document does not name.
"""

import json
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.installation import Installation
from benchmarks.table import Row, figure

CHECKS: Final = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "allow_header_conformance",
)  # fmt: skip
# With a real id these take the key away with which everything is tried.
OF_KEYS: Final = ("api_keys_delete", "api_keys_rotate")
# What else is done with one row of a collection and leaves it for the others to try.
DEEDS: Final = {
    "sessions": (
        "sessions_takeover",
        "sessions_assign",
        "sessions_release",
        "messages_list",
        "messages_create",
    ),
    "personalities": ("personality_versions_list",),
}
LINES_SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a run. `problems` is what schemathesis says of each answer that is not as documented."""

    operations: int
    cases: int
    failures: int
    errors: int
    problems: str


def fuzz_api(installation: Installation, *, seconds: int, seed: int) -> list[Row]:
    """Rows of a run of `seconds`, on a tenant of its own."""
    api_key = installation.tenant("conformance").api_key
    tried = try_all(installation.url, api_key, seconds=seconds, examples=100, seed=seed)
    what = f"OpenAPI, {tried.operations} operations, {tried.cases:,} requests"
    return [
        figure(f"{what}: 5xx or not as documented", tried.failures, "", 0, note=tried.problems[:300]),
        figure(f"{what}: not tried", tried.errors, "", 0),
    ]


def try_all(url: str, api_key: str, *, seconds: int, examples: int, seed: int) -> Tried:
    """Try every operation for at most `seconds` in all, with up to `examples` random requests each beside those that
    cover each field's bounds."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "schemathesis.toml").write_text(_known_rows(url, api_key))
        rest = [part for name in OF_KEYS for part in ("--exclude-operation-id", name)]
        keys = [part for name in OF_KEYS for part in ("--include-operation-id", name)]
        runs = [
            _run(url, api_key, folder, seconds, examples, seed, rest),
            _run(url, api_key, folder, max(10, seconds // 10), examples, seed, keys),
        ]
    return Tried(
        operations=sum(report["operations"]["tested"] for report, _ in runs),
        cases=sum(report["test_cases"]["generated"] for report, _ in runs),
        failures=sum(len(report["failures"]) for report, _ in runs),
        errors=sum(len(report["errors"]) for report, _ in runs),
        problems="\n".join(text for report, text in runs if report["failures"] or report["errors"]),
    )


def _run(
    url: str, api_key: str, folder: str, seconds: int, examples: int, seed: int, chosen: list[str]
) -> tuple[dict[str, Any], str]:
    report = Path(folder) / "report.json"
    report.unlink(missing_ok=True)
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/api/v1/openapi.json", *chosen,
        "--header", f"Authorization: Bearer {api_key}", "--checks", ",".join(CHECKS), "--seed", str(seed),
        "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples), "--max-time", str(seconds),
        # One: CPython 3.11's parser, with which hypothesis describes its strategies, fails in threads.
        "--workers", "1", "--continue-on-failure", "--no-color", "--report", "json",
        "--report-json-path", str(report),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if not report.exists():
        raise RuntimeError(f"schemathesis did not run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    lines = [line[:300] for line in done.stdout.splitlines()]
    return json.loads(report.read_text()), "\n".join(lines[:LINES_SHOWN])


def _known_rows(url: str, api_key: str) -> str:
    """A row of each collection, and where its id goes: a random id reaches no more than a 404. What ends or deletes a
    row gets no id from here, for the others still need it."""

    def post(path: str, **body: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{url}/api/v1/{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            found: dict[str, Any] = json.load(response)
        return found

    session = post("sessions/")["id"]
    message = post(f"sessions/{session}/messages/", content="How long is the warranty?")["answer"]["id"]
    rows = {
        "widgets": post("widgets/", name="Tried")["id"],
        "personalities": post("personalities/", name="Tried")["id"],
        "documents": post("documents/", title="Tried", content="The warranty is two years.")["id"],
        "members": post("members/", email=f"{session}@example.com", password="a long enough password")["id"],
        "domains": post("domains/", hostname=f"h{session}.example.com")["id"],
        "budgets": post("budgets/", limit_usd="1000000")["id"],
        "prices": post("prices/", provider="x", model=session, service="llm", input="1")["id"],
        "meetings": post("meetings/")["id"],
        "feedback": post("feedback/", message=message, rating=1)["id"],
        "cost-events": post("cost-events/", service="llm", provider="x", model="y", cost_usd="1")["id"],
        "sessions": session,
    }
    return "\n".join(_with_id(name, identifier) for name, identifier in rows.items())


def _with_id(collection: str, identifier: str) -> str:
    name = collection.replace("-", "_")
    deeds = [f"{name}_read", f"{name}_update", *DEEDS.get(collection, ())]
    return f"""
[[operations]]
include-operation-id = {json.dumps(deeds)}
parameters = {{ id = "{identifier}" }}
"""
