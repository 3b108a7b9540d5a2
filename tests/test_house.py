"""The house keeps to its plan: the top level, the shelf that is no package, no drawers, no orphaned SQL."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("tenants", "widgets", "knowledge", "billing", "meetings")
DRAWERS = ("utils", "helpers", "services", "common", "misc")


def tracked(pattern):
    listed = subprocess.run(
        ["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def test_platform_is_no_package():
    assert not (ROOT / "platform" / "__init__.py").exists()
    checked = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.python_version())"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert checked.stdout.startswith("3.")


def test_the_top_level_has_no_other_package():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages <= {*ROOMS, "tests", "benchmarks"}


def test_files_are_named_for_a_deed():
    assert [path for path in tracked("*.py") if path.stem in DRAWERS] == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_statement_is_used(room):
    written = [*tracked("*.py"), *tracked("*.sql")]
    sources = "\n".join(path.read_text() for path in written if "tests" not in path.parts)
    for path in (ROOT / room).glob("**/sql/*.sql"):
        # By its name in Python, or as {name} within another statement.
        named = (f'"{path.stem}"', f"'{path.stem}'", path.name, f"{{{path.stem}}}")
        assert any(name in sources for name in named), f"{path.relative_to(ROOT)} is used nowhere"


def test_no_file_names_a_registry():
    hosts = ("py" + "pi.org", "python" + "hosted", "registry.np" + "mjs")
    for path in tracked("*"):
        if path.suffix in (".py", ".toml", ".lock", ".json", ".md", ".sh", ".yml", ".mjs", ".ts"):
            text = path.read_text(errors="replace")
            assert not any(host in text for host in hosts), path
