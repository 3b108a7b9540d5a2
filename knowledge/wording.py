"""A chunk as its two readers want it: the embedder reads prose, the keyword index reads words."""

import re

LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
MARKS = re.compile(r"\*\*|__|`|^#{1,6} |^\s*[|:-][-| :]*$|~~", re.MULTILINE)
SPACES = re.compile(r"[ \t]{2,}")
# PostgreSQL's parser takes a/b for a file path and a.b for a host name, and would index them as one word each.
JOINT = re.compile(r"[/\\@|=<>{}\[\]()\"“”„«»\u2019*#~^:;,_]|(?<=[^\W\d])\.(?=[^\W\d])")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
WORD = re.compile(r"[A-Za-z0-9]+")
# Scripts written without spaces: each run becomes overlapping pairs, the usual index unit for them.
UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]{2,}")


def prose(markdown: str) -> str:
    """`markdown` without its marks: links as their words, no emphasis, headings and table rules as plain lines."""
    return SPACES.sub(" ", MARKS.sub(" ", LINK.sub(r"\1", markdown))).strip()


def passage(title: str, heading: str, content: str) -> str:
    """What the embedder reads of a chunk: the path of headings, then the prose."""
    return f"{above(title, heading)}\n{prose(content)}"


def words(text: str) -> str:
    """What `to_tsvector` reads of a text or a question: its words, one apart from the next.

    Names in camel case count whole and in parts, text without spaces in pairs of characters.
    """
    spread = JOINT.sub(" ", text)
    spread = UNSPACED.sub(_pairs, spread)
    return WORD.sub(_with_parts, spread)


def above(title: str, heading: str) -> str:
    """The document's title and the headings below it, without saying the title twice."""
    if not heading or heading == title:
        return title
    return heading if heading.startswith(f"{title} > ") else f"{title} > {heading}"


def _with_parts(match: re.Match[str]) -> str:
    word = match.group()
    parts = CAMEL.sub(" ", word)
    return word if parts == word else f"{word} {parts}"


def _pairs(match: re.Match[str]) -> str:
    run = match.group()
    return " " + " ".join(run[at : at + 2] for at in range(len(run) - 1)) + " "
