"""The demo's documents: markdown files with a head of `key: value` lines between two `---`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEAD: Final = re.compile(r"\A---\n(.*?)\n---\n+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """One document as its file has it; `name` is the file's, and its anchor on the demo page."""

    name: str
    title: str
    category: str
    content: str


def read(directory: Path) -> Iterator[CorpusDocument]:
    """The documents of a directory, by file name. Raises ValueError for a file without a head or a title."""
    for path in sorted(directory.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        head = HEAD.match(text)
        if head is None:
            raise ValueError(f"{path.name} has no head")
        lines = (line.partition(":") for line in head.group(1).splitlines() if ":" in line)
        fields = {key.strip(): value.strip().strip('"') for key, _, value in lines}
        if not fields.get("title"):
            raise ValueError(f"{path.name} has no title")
        yield CorpusDocument(path.stem, fields["title"], fields.get("category", ""), text[head.end() :])
