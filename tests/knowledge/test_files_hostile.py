"""Files that mean harm, and broken ones: each ends as a failed document with a sentence, and costs its own process."""

import os
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from knowledge import ingest
from knowledge.files import extracting
from knowledge.files.confining import AUDIT_ARCHITECTURES, CPU_S
from knowledge.files.decoding import decode
from knowledge.files.recognising import EXTENSIONS, Kind
from knowledge.models import Document
from knowledge.uploading import upload
from tenants.context import acting_as
from tenants.models import DueWork
from tests.knowledge import corpus, making

BODY = f"<w:document {making.NAMESPACE}><w:body>%s</w:body></w:document>"
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]>"
    + BODY % "<w:p><w:r><w:t>&j;</w:t></w:r></w:p>"
)
OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    + BODY % "<w:p><w:r><w:t>&a;</w:t></w:r></w:p>"
)


def word(document, **parts):
    return making.docx(**{"word/document.xml": document, **parts})


HOSTILE = {
    "a zip bomb": (
        "docx",
        making.docx("x", **{"word/media/a.png": b"\0" * 250_000_000}),
        "unpacks to 238 MB",
    ),
    "a bomb of XML": ("docx", word(BODY % ("<w:p/>" * 4_000_000)), "of text"),
    "billion laughs": ("docx", word(LAUGHS), "declares entities"),
    "billion laughs in UTF-16": ("docx", word(LAUGHS.encode("utf-16")), "declares entities"),
    "an external entity": ("docx", word(OUTSIDE), "declares entities"),
    "deep XML": ("docx", word(BODY % ("<w:x>" * 90_000 + "</w:x>" * 90_000)), "nested too deep"),
    "XML that is none": ("docx", word("no XML at all"), "broken"),
    "a part that is missing": ("docx", making.archive({"word/other.xml": "x"}), "no Word document"),
    "too many parts": ("docx", making.docx("x", **{f"word/{n}": "" for n in range(5001)}), "parts"),
    "half an archive": ("docx", making.docx("text " * 999)[:600], "broken"),
    "a scan": ("pdf", making.scanned_pdf(), "OCR"),
    "a password": ("pdf", making.encrypted_pdf(), "password"),
    "half a PDF": ("pdf", making.pdf(["text"] * 30)[:700], "broken"),
    "rubbish after a header": ("pdf", b"%PDF-1.7\n" + bytes(range(256)) * 4000, "broken"),
    "a header and nothing": ("pdf", b"%PDF-1.7", "broken"),
    "a bomb of a PDF": (
        "pdf",
        making.drawn_pdf(b"BT /F1 9 Tf (ab) Tj ET\n" * 4_000_000, packed=True),
        "broken, or too",
    ),
    "half a million pages": (
        "pdf",
        making.plain_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[%s]/Count 500000>>" % (b"3 0 R " * 500_000),
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
        ),
        "500,000 pages",
    ),
    "pages in a circle": (
        "pdf",
        making.plain_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>"),
        "",
    ),
    "deep arrays": (
        "pdf",
        making.plain_pdf(
            b"<</Type/Catalog/Pages 2 0 R/X %s>>" % (b"[" * 2_000_000), b"<</Type/Pages/Kids[]/Count 0>>"
        ),
        "",
    ),
    "deep HTML without text": ("html", b"<div>" * 1_000_000, "no readable text"),
    "HTML without text": ("html", b"<html><script>alert(1)</script></html>", "no readable text"),
    "many rows": ("csv", b"a,b\n" + b"1,2\n" * 20_001, "more than 20,000 rows"),
    "many columns": ("csv", b"a,b\n" + b"1," * 300, "more than 200 columns"),
    "only delimiters": ("csv", b"," * 5_000_000, "no readable text"),
    "only blanks": ("txt", b" \n\t\r\n" * 1000, "no readable text"),
    "only a byte order mark": ("txt", b"\xff\xfe", "no readable text"),
    "text that grows": ("txt", b"\x80" * 9_000_000, "of text"),
}
BUSY = "from knowledge.files import confining; confining.CPU_S = 1; confining.limit()\nwhile True: pass"


@pytest.fixture(autouse=True)
def store(settings, tmp_path):
    settings.STORAGE_URL = f"file://{tmp_path / 'files'}"


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.replace(" ", "-"))
def test_each_fails_with_a_sentence_and_soon(acme, case):
    extension, data, said = HOSTILE[case]
    with acting_as(acme):
        document = upload(f"a.{extension}", data)
    started = time.monotonic()
    assert ingest.ingest(corpus.ref(acme), document.pk) is False
    assert time.monotonic() - started < extracting.WALL_S
    with acting_as(acme):
        document.refresh_from_db()
        assert document.status == "failed"
        assert document.error.startswith(f"file: “a.{extension}” ")
        assert said in document.error
        assert document.version == 0


@pytest.mark.parametrize(
    ("extension", "data"),
    [
        ("html", b"<div>" * 300_000 + b"hello"), ("html", b"<" * 3_000_000 + b"hello"),
        ("html", b"<meta charset" * 200_000 + b">hello"), ("html", b"<a " + b"x='1' " * 500_000 + b">hello"),
        ("md", b"`" * 2_000_000 + b"hello"), ("md", b"[" * 1_000_000 + b"](hello)"), ("md", b"<!--" * 500_000 + b"a"),
        ("md", b"# " * 1_000_000 + b"a"), ("md", b"|-" * 1_000_000 + b"a"), ("txt", b"\r" * 3_000_000 + b"hello"),
        ("csv", b'a,b\n"' + b'""' * 1_000_000 + b"x"), ("csv", b"a;b\n1;" + b"x" * 5_000_000),
    ],
)  # fmt: skip
def test_odd_but_readable_ones_are_read(extension, data):
    kind = EXTENSIONS[extension]
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert extracting.extract(f"a.{extension}", kind, data).text
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - spent < CPU_S / 2


def test_one_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(extracting, "CHILD", (*extracting.CHILD[:-2], "-c", BUSY))
    with pytest.raises(InvalidInput, match="takes too long"):
        extracting.extract("a.txt", Kind.TEXT, b"hello")


def test_one_that_a_busy_machine_has_no_time_for_is_tried_again(acme, monkeypatch):
    monkeypatch.setattr(extracting, "WALL_S", 0.01)
    with acting_as(acme):
        document = upload("a.txt", b"hello")
    assert ingest.ingest(corpus.ref(acme), document.pk) is False
    with acting_as(acme):
        document.refresh_from_db()
        assert (document.status, document.version) == ("pending", 0)
        assert "tried again" in document.error
        assert DueWork.objects.filter(kind=ingest.WORK, key=document.pk).exists()


def test_the_reader_sees_nothing_of_the_workers_environment():
    assert not {"SECRET_KEY", "DATABASE_URL", "HOME"} & set(extracting.ENVIRONMENT)
    assert {"PYTHONPATH", "LANG"} <= set(extracting.ENVIRONMENT)


def test_a_reader_that_was_taken_over_reaches_nothing(tmp_path):
    """What an exploit would try, tried inside a process that has shut itself in."""
    assert os.uname().machine in AUDIT_ARCHITECTURES
    tries = textwrap.dedent(f"""
        import os, resource, signal, socket
        from knowledge.files import confining
        confining.limit()
        pipe = os.pipe()
        print(confining.shut_in())
        def attempt(name, deed):
            try:
                deed()
                print(name, "worked")
            except (OSError, MemoryError) as error:
                print(name, type(error).__name__)
        attempt("read", lambda: open("/etc/hostname"))
        attempt("write", lambda: open({str(tmp_path / "x")!r}, "w"))
        attempt("delete", lambda: os.unlink({str(tmp_path / "kept")!r}))
        attempt("connect", lambda: socket.create_connection(("127.0.0.1", 9)))
        attempt("unix", lambda: socket.socket(socket.AF_UNIX))
        attempt("pair", lambda: socket.socketpair())
        attempt("run", lambda: os.execv("/bin/true", ["true"]))
        attempt("fork", os.fork)
        attempt("kill", lambda: os.kill(os.getppid(), 0))
        attempt("grow", lambda: bytearray(confining.MEMORY))
        attempt("pipe", lambda: os.write(pipe[1], b"x"))
    """)
    (tmp_path / "kept").touch()
    run = subprocess.run(
        [sys.executable, "-c", tries], env=extracting.ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert run.stdout.split("\n")[:-1] == [
        "True", "read PermissionError", "write PermissionError", "delete PermissionError", "connect PermissionError",
        "unix PermissionError", "pair PermissionError", "run PermissionError", "fork PermissionError",
        "kill PermissionError", "grow MemoryError", "pipe worked",
    ]  # fmt: skip
    assert (tmp_path / "kept").exists()


def test_a_loop_is_ended_by_the_processors_clock():
    started = time.monotonic()
    run = subprocess.run([sys.executable, "-c", BUSY], env=extracting.ENVIRONMENT, timeout=60, check=False)
    assert run.returncode == -signal.SIGXCPU
    assert time.monotonic() - started < 60


PIECES = st.sampled_from([
    b"%PDF-1.7\n", b"PK\x03\x04", b"word/document.xml", b"<html>", b"<p>", b"</", b"&#0;", b"\xff\xfe", b"\0", b'"',
    b";", b"#", b"1 0 obj<</Type/Catalog/Pages 1 0 R>>endobj ", b"trailer<</Root 1 0 R>>", b"stream\n", b"endstream",
    b"\n", b"| a |", b"|---|", b"```", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"text",
])  # fmt: skip
FILES = st.lists(PIECES | st.binary(max_size=40), max_size=25).map(b"".join)
SEEDS = st.sampled_from(
    [making.docx("# A", "text"), making.pdf(["some text"], ["more"]), making.scanned_pdf()]
)
MANGLED = st.builds(
    lambda data, at, put: data[: at % len(data)] + put + data[at % len(data) + len(put) :],
    SEEDS, st.integers(0, 5000), st.binary(min_size=1, max_size=30),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(EXTENSIONS)), FILES | MANGLED, st.text(max_size=30))
def test_any_bytes_under_any_name_end_well(acme, extension, data, stem):
    name = f"{stem}.{extension}"
    with acting_as(acme):
        try:
            document = upload(name, data)
        except InvalidInput as error:
            refused = error.detail
        else:
            refused = ""
    if refused:
        assert refused.startswith("file: “")
        return
    ingest.ingest(corpus.ref(acme), document.pk)
    with acting_as(acme):
        document = Document.objects.get(pk=document.pk)
        assert document.status == "ready" or (document.status == "failed" and len(document.error) > 20)
        assert document.title


@given(st.binary(max_size=300), st.text(max_size=12))
def test_any_bytes_are_text_of_some_kind(data, declared):
    assert isinstance(decode(data, declared), str)


@pytest.mark.parametrize(
    "declared", ["zlib", "base64", "rot13", "idna", "punycode", "unknown", "utf-8\0", "é" * 99]
)
def test_encodings_that_are_none_are_ignored(declared):
    assert decode("Größe".encode("cp1252"), declared) == "Größe"


def test_no_server_hears_of_an_external_entity(acme):
    """The entity names a server of ours, which nobody may ask."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        document = OUTSIDE.replace("file:///etc/passwd", address)
        with pytest.raises(InvalidInput, match="declares entities"):
            extracting.extract("a.docx", Kind.DOCX, word(document))
        with pytest.raises(TimeoutError):
            server.accept()
