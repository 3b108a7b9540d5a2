"""The documents say what is so: links resolve, commands and their options exist, settings listed are settings read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from django.core.management import get_commands, load_command_class

ROOT: Final = Path(__file__).resolve().parents[1]
DOCUMENTS: Final = sorted(
    [*(ROOT / name for name in ("README.md", "STYLE.md", "CHANGELOG.md")), *ROOT.glob("docs/**/*.md")]
)
LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SPAN: Final = re.compile(r"`([^`\n]+)`")
SOURCE_FILE: Final = re.compile(r"[\w./-]+/[\w.-]+\.(?:py|sql|ts|md|toml)")
COMMAND: Final = re.compile(r"manage\.py ([a-z]\w*)([^\n#|`]*)")
OPTION: Final = re.compile(r"(?<!\S)(--[a-z-]+)")
TARGET: Final = re.compile(r"\bmake ([a-z][a-z-]*)\b")
READERS: Final = frozenset(
    {"text", "integer", "choice", "dollars", "flag", "words", "networks", "secret", "url"}
)

# Settings of product.md whose parts are not built. One that is read leaves this set, or the test below fails.
NOT_READ_YET: Final = frozenset(
    {
        "COHERE_API_KEY",
        "LIVEKIT_API_KEY",
        "LIVEKIT_API_SECRET",
        "LIVEKIT_URL",
        "STRIPE_API_BASE",
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
    }
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_and_named_files_exist(document):
    text = document.read_text()
    links = [target for target in LINK.findall(FENCE.sub("", text)) if "://" not in target]
    missing = [target for target in links if not (document.parent / target.partition("#")[0]).exists()]
    named = [span for span in SPAN.findall(FENCE.sub("", text)) if SOURCE_FILE.fullmatch(span)]
    missing += [
        name for name in named if not any((ROOT / shelf / name).exists() for shelf in (".", "platform"))
    ]
    assert missing == []


def test_every_decision_stands_in_their_list_once():
    folder = ROOT / "docs/decisions"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    listed = LINK.findall((folder / "README.md").read_text())
    assert listed == records
    numbers = [name[:4] for name in records]
    assert numbers == sorted(set(numbers))


def test_the_readme_names_the_two_commands():
    code = " ".join(code_of(ROOT / "README.md"))
    assert {"up", "test"} <= set(TARGET.findall(code))


def test_every_make_target_named_exists():
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target for document in DOCUMENTS for code in code_of(document) for target in TARGET.findall(code)
    }
    assert "up" in named
    assert named - targets == set()


def test_every_command_named_exists_with_its_options():
    known = get_commands()
    named = {
        (name, option)
        for document in DOCUMENTS
        for code in code_of(document)
        for name, rest in COMMAND.findall(code)
        for option in (None, *OPTION.findall(rest))
    }
    assert {("demo", "--show"), ("migrate_schemas", "--schema"), ("create_tenant", "--schema")} <= named
    unknown = {(name, option) for name, option in named if name not in known}
    assert unknown == set()
    assert {(name, option) for name, option in named if option and option not in options_of(name)} == set()


def test_settings_listed_are_settings_read():
    listed = set(re.findall(r"^([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    read = set(settings_read())
    assert {"LLM_MODEL", "DATABASE_SUPERUSER_URL", "FRONTDESK_DEMO"} <= read
    assert read - listed == set(), "read, and not in .env.example"
    assert listed - read == NOT_READ_YET


def test_settings_in_the_readmes_table_are_read():
    rows = re.findall(r"^\| (`[A-Z][^|]*) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in SPAN.findall(row)}
    assert "LLM_MODEL" in named
    assert named - set(settings_read()) == set()


def code_of(document: Path) -> Iterator[str]:
    """What stands in fences and in `spans`."""
    text = document.read_text()
    yield from FENCE.findall(text)
    yield from SPAN.findall(FENCE.sub("", text))


def options_of(name: str) -> set[str]:
    command = load_command_class(get_commands()[name], name)
    parser = command.create_parser("manage.py", name)
    return {option for action in parser._actions for option in action.option_strings}


def settings_read() -> Iterator[str]:
    """Names that config gives to one of its readers; `<name>_FILE` belongs to its name."""
    for source in (ROOT / "platform" / "config").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            name = node.args[0].value
            if called in READERS and isinstance(name, str) and re.fullmatch(r"[A-Z][A-Z0-9_]+", name):
                yield name.removesuffix("_FILE")
