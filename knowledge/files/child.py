"""The process that reads one file: `python -m knowledge.files.child KIND [CHARSET]`, the bytes as standard input.

Writes one JSON object: `{"text", "title", "confined"}`, or `{"refused"}` with the reason for the file's owner. It is
no door and knows no database: `knowledge.files.extracting` starts it.
"""

import codecs
import json
import logging
import os
import sys
import xml.dom.expatbuilder  # noqa: F401  # xml.dom imports it when it parses, and then it would be too late
from collections.abc import Callable
from typing import Final

from knowledge.files import confining, decoding, docx, pdf, table, text
from knowledge.files.outcome import CannotRead, Read
from knowledge.files.recognising import MAX_FILE, Kind

ENCODINGS: Final = (
    "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "idna", "cp437", "latin-1", "cp1250", "cp1251", "cp1252",
    "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp866", "cp874", "iso8859-2", "iso8859-5", "iso8859-7",
    "iso8859-9", "iso8859-15", "koi8-r", "koi8-u", "gbk", "gb18030", "big5", "euc-jp", "shift_jis", "iso2022_jp",
    "euc-kr",
)  # fmt: skip
"""Codecs are files of Python's library, opened at their first use: these are looked up while there are still files.
They are those of the WHATWG Encoding Standard that pages still use; cp437 is that of names in ZIP archives."""
READERS: Final[dict[Kind, Callable[[bytes, str], Read]]] = {
    Kind.PDF: lambda data, _: pdf.read_pdf(data),
    Kind.DOCX: lambda data, _: docx.read_docx(data),
    Kind.HTML: text.read_html,
    Kind.MARKDOWN: text.read_markdown,
    Kind.TEXT: lambda data, charset: Read(decoding.decode(data, charset), ""),
    Kind.CSV: lambda data, charset: table.read_table(decoding.decode(data, charset)),
}
MAX_TEXT: Final = 10 * 1024 * 1024


def main(kind: Kind, charset: str) -> dict[str, object]:
    """What the file on standard input says, or why it cannot be read."""
    for encoding in ENCODINGS:
        codecs.lookup(encoding)
    decoding.decode(b"\x80", charset)  # and the one that is declared, if it is any
    data = sys.stdin.buffer.read(MAX_FILE + 1)
    confined = confining.shut_in()
    try:
        read = READERS[kind](data, charset)
    except CannotRead as reason:
        return {"refused": str(reason)}
    except MemoryError:
        return {"refused": "it needs more memory than a file may take: split it into parts"}
    size = len(read.text.encode("utf-8", "replace"))
    if size > MAX_TEXT:
        return {"refused": f"it holds {size // 1024 // 1024} MB of text, and at most 10 MB are read"}
    return {"text": read.text, "title": read.title, "confined": confined}


if __name__ == "__main__":
    confining.limit()
    logging.disable()  # parsers' warnings quote the file
    answer = main(Kind[sys.argv[1]], sys.argv[2] if len(sys.argv) > 2 else "")
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # nothing is left to be tidied, and a library's own exit code may crash after a broken file
