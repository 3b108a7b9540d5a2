"""The isolation report for people: the same statement as plain text."""

from typing import Any


def as_text(report: dict[str, Any], fingerprint: str) -> str:
    """The report as a page of Markdown."""
    said = report["statement"]
    tables, database = said["tables"], said["database"]
    lines = [
        f"# Isolation report: {'holds' if said['holds'] else 'BROKEN'}",
        "",
        f"{said['installation']}, {said['made_at']}",
        "",
        "## Checked now",
        "",
        *(
            f"- {name}: {'nothing found' if not found else '; '.join(found)}"
            for name, found in said["checks"].items()
        ),
        "",
        "## What stands guard",
        "",
        f"- role `{database['role']}` on PostgreSQL {database['version']}: "
        f"superuser {_yes(database['role_is_superuser'])}, "
        f"bypasses policies {_yes(database['role_bypasses_policies'])}",
        f"- {len(tables)} tables and partitions with tenants' rows: "
        f"{sum(table['enabled'] and table['forced'] for table in tables)} with forced row-level security, "
        f"{sum(len(table['policies']) for table in tables)} policies, "
        f"{sum(table['same_tenant_keys'] for table in tables)} same-tenant keys",
        f"- {len(said['directory'])} directory tables and {len(said['look_ups'])} look-ups before a tenant is known",
        f"- guards' digest `{database['guards_digest']}`",
        "",
        "## Doors",
        "",
        f"- {len(said['doors']['urls'])} URLs, {said['doors']['admin_pages']} admin pages of "
        f"{len(said['doors']['admin_models'])} models, {len(said['doors']['frames'])} socket frames, "
        f"{len(said['doors']['tasks'])} tasks",
        "",
        "## Canaries",
        "",
        _canaries(said["canaries"]),
        "",
        "## Mutants",
        "",
        _mutants(said["mutants"]),
        "",
        "## Tables",
        "",
        *(f"- {table['schema']}.{table['name']}: {', '.join(table['policies'])}" for table in tables),
        "",
        f"Signed {report['signature']['algorithm']}, public key `{report['signature']['public_key']}`, "
        f"SHA-256 of the statement `{fingerprint}`.",
        "",
    ]
    return "\n".join(lines)


def _canaries(last: dict[str, Any] | None) -> str:
    if last is None:
        return "Not visited yet: beat's first round is still to come."
    return f"Last round {last['at']}: {last['tenants']} tenants, {last['tables']} tables each."


def _mutants(run: dict[str, Any] | None) -> str:
    if run is None:
        return "No run was given (`make isolation-mutants`, then `--mutants .check/mutants.json`)."
    same = "the same guards as here" if run["same_guards_as_here"] else "OTHER guards than here"
    return f"{run['tried']} tried, {run['survived']} survived, {run['at']}, against {same}."


def _yes(so: bool) -> str:
    return "YES" if so else "no"
