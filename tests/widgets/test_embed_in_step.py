"""The committed widget is what its committed sources build to, and no larger than promised.

Needs no Node: the build records the hash of every input and output in dist/manifest.json. `npm run check` in
widgets/embed, part of `make check`, builds again and compares bytes.
"""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

EMBED = Path(__file__).resolve().parents[2] / "widgets" / "embed"
DIST = EMBED / "dist"
MANIFEST = json.loads((DIST / "manifest.json").read_text())
PLACEHOLDER = '"__FRONTDESK_LOOK__"'
REBUILD = "run `npm ci && npm run build` in widgets/embed and commit dist/"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_source_is_the_one_that_was_built() -> None:
    named = {
        path.relative_to(EMBED).as_posix(): sha256(path)
        for path in (EMBED / "src").rglob("*")
        if path.is_file()
    }
    for name in ("build.mjs", "package.json", "package-lock.json", "tsconfig.json"):
        named[name] = sha256(EMBED / name)
    assert named == MANIFEST["sources"], REBUILD


@pytest.mark.parametrize("name", ["loader.js", "panel.js", "proof.js"])
def test_outputs_are_the_ones_that_were_built(name: str) -> None:
    assert sha256(DIST / name) == MANIFEST["outputs"][name]["sha256"], REBUILD
    assert (DIST / name).stat().st_size == MANIFEST["outputs"][name]["bytes"]


@pytest.mark.parametrize(
    ("name", "limit"), [("loader.js", 4 * 1024), ("panel.js", 30 * 1024), ("proof.js", 1024)]
)
def test_bytes_over_the_wire(name: str, limit: int) -> None:
    assert len(gzip.compress((DIST / name).read_bytes(), 9, mtime=0)) <= limit


def test_the_look_has_one_place_in_the_loader() -> None:
    assert (DIST / "loader.js").read_text().count(PLACEHOLDER) == 1


def test_nothing_in_the_widget_could_break_a_strict_content_security_policy() -> None:
    for name in ("loader.js", "panel.js", "proof.js"):
        text = (DIST / name).read_text()
        for forbidden in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
        ):
            assert forbidden not in text, f"{forbidden} in {name}"


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((EMBED / "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())
