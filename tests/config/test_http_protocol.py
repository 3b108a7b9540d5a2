"""The keep-alive timer closes idle HTTP connections and leaves WebSockets alone."""

from config.http_protocol import GuardedProtocol


class Transport:
    def __init__(self):
        self.protocol, self.closed = None, False

    def get_protocol(self):
        return self.protocol

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True


def timed_out(upgraded):
    http = GuardedProtocol.__new__(GuardedProtocol)
    http.transport = Transport()
    http.transport.protocol = object() if upgraded else http
    http.timeout_keep_alive_handler()
    return http.transport.closed


def test_an_idle_http_connection_is_closed():
    assert timed_out(upgraded=False)


def test_a_connection_that_became_a_websocket_is_not():
    assert not timed_out(upgraded=True)
