"""The web process: uvicorn with the settings that were measured best (measured.md section 4).

`python -m config.web` listens on HOST and PORT. Under `up` it gets a socket that already listens, as `--fd N`, so
that connections wait in its queue, rather than being refused, while a web process that died is replaced.
"""

import argparse
import os
import socket
import sys

import uvicorn

from config import env
from config.http_protocol import GuardedProtocol

GRACE_S = 5
# A message is at most 8,000 characters, some 96 kB as escaped JSON. Larger frames still reach the consumer, which
# answers them with an error frame; only beyond this is the connection closed.
LARGEST_FRAME = 1_048_576


def serve(listening: socket.socket | None) -> None:
    """Serve HTTP and sockets until SIGINT or SIGTERM, then finish what runs."""
    env.networks("TRUSTED_PROXIES")  # a wrong value stops the start before the application is imported
    config = uvicorn.Config(
        "config.asgi:application",
        host=env.text("HOST", "127.0.0.1"),
        port=env.integer("PORT", 8000, 1, 65535),
        loop="uvloop",
        http=GuardedProtocol,
        ws="websockets-sansio",
        ws_max_size=LARGEST_FRAME,
        # Compression keeps a window per connection and costs CPU per token; frames are small.
        ws_per_message_deflate=False,
        lifespan="on",
        # The application reads them itself: it must know who the peer is before they are believed.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="warning",
    )
    uvicorn.Server(config).run(sockets=[listening] if listening else None)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m config.web", description="Serve Frontdesk's web process."
    )
    parser.add_argument("--fd", type=int, help="a socket that already listens, inherited from the parent")
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        serve(socket.socket(fileno=arguments.fd) if arguments.fd is not None else None)
    except env.ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
