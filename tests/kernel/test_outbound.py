"""The way out: which addresses are refused, that what was checked is what is connected to, and that nothing runs on."""

import ast
import contextlib
import gzip
import ipaddress
import socket
import ssl
import subprocess
import threading
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.env import CHECKOUT
from kernel import pinning
from kernel.addresses import INTERNET, Internet, check_url, is_public
from kernel.errors import InvalidInput
from kernel.outbound import Limits, OutboundError, fetch

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing: a\r\n\r\nhello"
SOON = Limits(size=100_000, seconds=5)


class Loopback:
    """A network of one machine: these names lead to it, and only this port of it may be reached."""

    def __init__(self, port, **names):
        self.port, self.names, self.asked = port, names, []

    def resolve(self, host, port):
        self.asked.append(host)
        found = self.names.get(host.replace(".", "_"), "127.0.0.1")
        if isinstance(found, Exception):
            raise found
        return [found] if isinstance(found, str) else found

    def allows(self, address, port):
        return address == "127.0.0.1" and port == self.port


class Server:
    """Answers each connection with the next of its answers: bytes, or a function of the connection."""

    def __init__(self, *answers, tls=None):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.answers, self.requests, self.tls = list(answers), [], tls
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def url(self, path="/", host="pages.example"):
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    def _serve(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            if not self.answers:
                connection.close()
                continue
            answer = self.answers.pop(0)
            with contextlib.suppress(OSError), connection:
                if self.tls:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                request = b""
                while b"\r\n\r\n" not in request and (piece := connection.recv(65536)):
                    request += piece
                self.requests.append(request)
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)
                if self.tls:
                    connection.close()

    def close(self):
        self.listening.close()


@pytest.fixture
def serve():
    with contextlib.ExitStack() as stack:

        def start(*answers, **options):
            server = Server(*answers, **options)
            stack.callback(server.close)
            return server

        yield start


def get(server, path="/", *, names=None, **options):
    return fetch(
        server.url(path), network=Loopback(server.port, **(names or {})), **{"limits": SOON, **options}
    )


def moved(to, status=302):
    return f"HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
            "100.64.0.1", "100.100.100.200", "169.254.169.254", "192.0.0.192", "192.0.2.1", "198.18.0.1",
            "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
            "192.88.99.1", "168.63.129.16",
            "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
            "fe80::1", "fe80::1%eth0", "2a00:1450:4001::1%1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1",
            "2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "100::1", "5f00::1", "4000::1",
            "", "localhost", "0x7f000001", "127.1", "017700000001", "1.2.3.4.5", "1.1.1.1 ",
        ],
    )  # fmt: skip
    def test_what_is_not_public(self, address):
        assert not is_public(address)

    @pytest.mark.parametrize(
        "address",
        ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "223.255.255.254", "2606:4700::1111", "2a00::1"],
    )
    def test_what_is(self, address):
        assert is_public(address)

    @given(st.ip_addresses(v=4))
    def test_nothing_is_public_that_python_knows_to_be_private(self, address):
        if is_public(str(address)):
            assert address.is_global
            assert not address.is_multicast

    @given(st.ip_addresses(v=6))
    def test_nor_of_ipv6_nor_any_ipv4_in_disguise(self, address):
        if is_public(str(address)):
            assert address.is_global
            assert address.ipv4_mapped is None
            assert address.sixtofour is None
            assert address.teredo is None

    @given(st.ip_addresses(v=4))
    def test_ipv4_in_ipv6_is_never_public(self, address):
        for form in ("::ffff:{}", "::{}", "64:ff9b::{}"):
            assert not is_public(form.format(address))
        assert not is_public(str(ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80))))

    @pytest.mark.parametrize(
        "url",
        [
            "", "example.com", "//example.com", "ftp://example.com", "file:///etc/passwd", "gopher://example.com",
            "javascript:alert(1)", "data:text/html,x", "http://", "http:///x", "http://user@example.com",
            "http://user:pass@example.com/", "http://example.com:22", "http://example.com:6379/", "http://example.com:0",
            "http://example.com:99999", "http://example.com:x", "http://127.0.0.1", "http://127.1", "http://2130706433",
            "http://0x7f000001", "http://0x7f.0.0.1", "http://017700000001", "http://0177.0.0.1", "http://127.0.0.1.",
            "http://①②⑦.⓪.⓪.①", "http://127。0。0。1", "http://[::1]", "http://[::ffff:127.0.0.1]", "http://[fe80::1%25eth0]",
            "http://[::1", "http://169.254.169.254/latest/meta-data", "http://exa mple.com", "http://example.com/a b",
            "http://example.com\\@127.0.0.1", "http://example.com\r\nHost: x", "http://example.com/\0", "http://-.-..com",
            "http://" + "a" * 300 + ".com", "http://example.com/" + "a" * 2000, "http://\ud800.com", "http://1.2.3",
            "http://a.0x", "http://example.com./..\x7f",
        ],
    )  # fmt: skip
    def test_what_may_not_be_asked_for(self, url):
        with pytest.raises(InvalidInput) as refused:
            check_url(url)
        assert [error.field for error in refused.value.errors] == ["url"]
        with pytest.raises(InvalidInput):
            fetch(url)

    @pytest.mark.parametrize(
        ("url", "normal"),
        [
            ("https://Example.com", "https://example.com/"), ("http://example.com:80/a?b=c#d", "http://example.com/a?b=c"),
            ("https://bücher.example/größe?q=ä", "https://xn--bcher-kva.example/gr%C3%B6%C3%9Fe?q=%C3%A4"),
            ("https://example.com:8443/a%20b", "https://example.com:8443/a%20b"),
            ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"), ("http://1.1.1.1", "http://1.1.1.1/"),
        ],
    )  # fmt: skip
    def test_what_may(self, url, normal):
        assert check_url(url).geturl() == normal

    @given(st.text(max_size=60).map("http://{}".format) | st.text(max_size=60))
    def test_any_text_is_an_address_or_is_refused(self, text):
        with contextlib.suppress(InvalidInput):
            assert check_url(text).hostname


class TestPinning:
    @pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254", "::ffff:1.1.1.1"])
    def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(self, monkeypatch, address):
        monkeypatch.setattr(Internet, "resolve", lambda self, host, port: ["1.1.1.1", address])
        monkeypatch.setattr(socket, "socket", None)
        with pytest.raises(OutboundError, match="not public") as refused:
            fetch("https://rebind.example/")
        assert (refused.value.code, refused.value.retryable) == ("refused", False)

    def test_localhost_is_refused_for_real(self, serve):
        server = serve(OK)
        with pytest.raises(InvalidInput):
            fetch(f"http://localhost:{server.port}/")
        with pytest.raises(OutboundError, match="not public"):
            fetch("http://localhost/")
        assert server.requests == []

    def test_a_name_is_resolved_once_and_keeps_its_host(self, serve):
        server = serve(OK)
        network = Loopback(server.port)
        reply = fetch(server.url("/a?b=c"), network=network, headers={"X-One": "1", "HOST": "evil"})
        assert (reply.status, reply.body, reply.headers["x-thing"]) == (200, b"hello", "a")
        assert network.asked == ["pages.example"]
        lines = server.requests[0].decode().split("\r\n")
        assert lines[0] == "GET /a?b=c HTTP/1.1"
        assert f"host: pages.example:{server.port}" in lines
        assert "x-one: 1" in lines
        assert not any("evil" in line for line in lines)

    def test_tls_is_checked_against_the_name_and_not_the_address(self, serve, tmp_path, monkeypatch):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=pages.example",
             "-addext", "subjectAltName=DNS:pages.example", "-keyout", tmp_path / "key", "-out", tmp_path / "cert"],
            check=True, capture_output=True,
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
        names = []
        context.sni_callback = lambda connection, name, _: names.append(name)
        trusting = ssl.create_default_context(cafile=tmp_path / "cert")
        server = serve(OK, OK, OK, tls=context)
        with pytest.raises(OutboundError, match="no valid certificate"):
            get(server)
        monkeypatch.setattr(pinning, "_tls", lambda: trusting)
        assert get(server).body == b"hello"
        with pytest.raises(OutboundError, match="no valid certificate") as refused:
            fetch(server.url(host="other.example"), network=Loopback(server.port), limits=SOON)
        assert refused.value.code == "refused"
        assert names == ["pages.example", "pages.example", "other.example"]

    def test_the_next_address_is_tried(self, serve):
        server = serve(OK)

        class Two(Loopback):
            def allows(self, address, port):
                return address.startswith("127.")

        network = Two(server.port, pages_example=["127.0.0.9", "127.0.0.1"])
        assert fetch(server.url(), network=network, limits=SOON).body == b"hello"

    @pytest.mark.parametrize(
        ("failure", "retryable"),
        [
            (socket.gaierror(socket.EAI_NONAME, "x"), False),
            (socket.gaierror(socket.EAI_AGAIN, "x"), True),
            ([], False),
        ],
    )
    def test_names_that_lead_nowhere(self, serve, failure, retryable):
        with pytest.raises(OutboundError) as error:
            get(serve(), names={"pages_example": failure})
        assert (error.value.code, error.value.retryable) == ("unreachable", retryable)

    def test_a_resolver_that_sleeps_is_left_alone(self):
        class Slow(Loopback):
            def resolve(self, host, port):
                time.sleep(1)
                return ["127.0.0.1"]

        started = time.monotonic()
        with pytest.raises(OutboundError, match="too long"):
            fetch("http://pages.example:1/", network=Slow(1), limits=Limits(seconds=0.1))
        assert time.monotonic() - started < 0.9


class TestRedirects:
    def test_they_are_followed_and_the_last_address_is_told(self, serve):
        server = serve(moved("/b"), moved("//pages.example:{}/c", 308), moved("d?x=ü"), OK)
        server.answers[1] = moved(f"//other.example:{server.port}/c/", 308)
        reply = get(server, "/a", headers={"Authorization": "secret"})
        assert reply.url == f"http://other.example:{server.port}/c/d?x=%C3%BC"
        assert [b"secret" in request for request in server.requests] == [True, True, False, False]

    @pytest.mark.parametrize(
        "to",
        ["http://127.0.0.1/", "http://169.254.169.254/latest", "file:///etc/passwd", "http://[::1]/", "http://a@b/",
         "http://inside.example:PORT/", "//10.0.0.1", "http://2130706433/", "http://other.example:1/", "http://["],
    )  # fmt: skip
    def test_each_is_checked_as_the_first(self, serve, to):
        server = serve(b"")
        server.answers[0] = moved(to.replace("PORT", str(server.port)), 301)
        with pytest.raises(OutboundError) as refused:
            get(server, names={"inside_example": "127.0.0.2"})
        assert refused.value.code in ("refused", "unreachable")
        assert len(server.requests) == 1

    def test_a_circle_ends(self, serve):
        server = serve(*[moved("/")] * 20)
        with pytest.raises(OutboundError) as refused:
            get(server)
        assert (refused.value.code, len(server.requests)) == ("too_many_redirects", 6)

    def test_a_post_is_not_sent_on(self, serve):
        server = serve(moved("/b", 307))
        reply = get(server, method="POST", body=b"{}")
        assert reply.status == 307
        assert b"content-length: 2" in server.requests[0]


def dripping(pieces, pause):
    def answer(connection):
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)

    return answer


def without_bytes(value):
    """A test's name may hold nothing that differs from run to run, as packed bytes do (they hold the time)."""
    return "bytes" if isinstance(value, bytes) else None


HEAD = b"HTTP/1.1 200 OK\r\n"
PACKED = HEAD + b"Content-Encoding: gzip\r\n\r\n"


class TestBounds:
    @pytest.mark.parametrize(
        "answer",
        [
            dripping([HEAD] + [b"X: y\r\n"] * 200, 0.05), dripping([b"H"] * 200, 0.05),
            dripping([HEAD + b"Content-Length: 500\r\n\r\n"] + [b"x"] * 200, 0.05), lambda connection: time.sleep(3),
            dripping([b"HTTP/1.1 100 Continue\r\n\r\n"] * 200, 0.05),
        ],
        ids=["headers", "status", "body", "silence", "continue"],
    )  # fmt: skip
    def test_time_is_bounded_in_all(self, serve, answer):
        started = time.monotonic()
        with pytest.raises(OutboundError, match="too long") as error:
            get(serve(answer), limits=Limits(seconds=0.5))
        assert (error.value.code, error.value.retryable) == ("timeout", True)
        assert time.monotonic() - started < 2

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (HEAD + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000, "too_large"),
            (HEAD + b"\r\n" + b"x" * 200_000, "too_large"),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"ffff\r\n" + b"x" * 65_535 + b"\r\n") * 2, "too_large"),
            (PACKED + gzip.compress(b"\0" * 50_000_000), "too_large"),
            (HEAD + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"\0" * 50_000_000), "too_large"),
            (PACKED + b"no gzip at all", "bad_response"),
            (PACKED + gzip.compress(bytes(range(256)))[:200], "bad_response"),
            (HEAD + b"Content-Encoding: br\r\n\r\nx", "bad_response"),
            (HEAD + b"Content-Length: 10\r\n\r\nhello", "bad_response"),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "bad_response"),
            (b"SSH-2.0-OpenSSH\r\n", "bad_response"), (b"", "bad_response"),
            (HEAD + b"X: y\r\n" * 200 + b"\r\n", "bad_response"),
            (HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n", "bad_response"),
        ],
        ids=without_bytes,
    )  # fmt: skip
    def test_size_and_sense_are_checked(self, serve, answer, code):
        with pytest.raises(OutboundError) as error:
            get(serve(answer))
        assert error.value.code == code
        assert error.value.detail.endswith(".")

    @pytest.mark.parametrize(
        ("answer", "body"),
        [
            (PACKED + gzip.compress(b"hello"), b"hello"), (HEAD + b"\r\nhello", b"hello"),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello"),
            (HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000, b"x" * 100_000),
            (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", b"no"),
        ],
        ids=without_bytes,
    )  # fmt: skip
    def test_what_comes_whole_is_taken(self, serve, answer, body):
        assert get(serve(answer)).body == body

    def test_headers_with_line_ends_are_refused(self, serve):
        with pytest.raises(InvalidInput):
            get(serve(OK), headers={"X-One": "a\r\nX-Two: b"})

    def test_a_closed_port_may_be_open_later(self):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        with pytest.raises(OutboundError) as error:
            fetch(f"http://pages.example:{port}/", network=Loopback(port), limits=SOON)
        assert (error.value.code, error.value.retryable) == ("unreachable", True)

    def test_no_proxy_of_the_environment_is_used(self, serve, monkeypatch):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert get(serve(OK)).status == 200


# Who else may open connections, and why it is none of this client's business.
OTHERS = {
    "platform/ai/http.py": "AI providers, at addresses that the operator sets",
    "platform/ai/failures.py": "names aiohttp's errors for that seam",
    "platform/kernel/outbound.py": "this client",
    "platform/kernel/addresses.py": "this client's resolver",
    "platform/config/announce.py": "asks the web process of this machine whether it is ready",
    "platform/config/alive.py": "a container's health check asks its own web process",
    "platform/config/launch.py": "finds out whether its own port is free",
}
CLIENTS = {
    "requests", "urllib3", "urllib.request", "http.client", "aiohttp", "httpx", "httpx2", "httpcore", "pycurl",
    "websockets", "ftplib", "telnetlib", "smtplib", "xmlrpc", "treq",
}  # fmt: skip
CALLS = {
    "create_connection",
    "open_connection",
    "open_unix_connection",
    "urlopen",
    "getaddrinfo",
    "sock_connect",
}


def _sources():
    for folder in ("platform", "tenants", "widgets", "knowledge", "billing", "meetings"):
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            if "node_modules" not in path.parts and "migrations" not in path.parts:
                yield path.relative_to(CHECKOUT).as_posix(), ast.parse(path.read_text())


def _ways_out(tree):
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute) and node.attr in CALLS:
            yield node.attr
        for name in names:
            if name in CLIENTS or name.partition(".")[0] in CLIENTS:
                yield name


def test_nobody_else_goes_out():
    found = {path: ways for path, tree in _sources() if (ways := set(_ways_out(tree)))}
    strangers = {path: ways for path, ways in found.items() if path not in OTHERS}
    assert strangers == {}, "use kernel.outbound.fetch, or give a reason in OTHERS"
    assert {"platform/kernel/outbound.py", "platform/ai/http.py"} <= set(found)


def test_the_product_knows_one_network():
    """No setting, and no caller, may send the client anywhere but to the internet."""
    assert isinstance(INTERNET, Internet)
    for path, tree in _sources():
        if path.startswith("platform/kernel/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                assert "network" not in {keyword.arg for keyword in node.keywords}, path
            if isinstance(node, ast.ImportFrom) and node.module == "kernel.addresses":
                assert not {"Network", "Internet"} & {alias.name for alias in node.names}, path
    for name in ("outbound", "pinning", "addresses"):
        source = (CHECKOUT / "platform" / "kernel" / f"{name}.py").read_text()
        assert "environ" not in source
        assert "settings" not in source
