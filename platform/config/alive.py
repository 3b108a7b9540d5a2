"""Does the program in this container do its work? `python -m config.alive web` exits with 0 or says why not.

Web must answer; the others must have said, in Redis and from this host, that they did their work a short while ago.
"""

import http.client
import socket
import sys
import time
from typing import Final

import redis

from config import env
from config.metrics_sharing import SEEN

PATH: Final = "/healthz"
PATIENCE_S: Final = 4
SEEN_WITHIN_S: Final = {"worker": 60.0, "beat": 60.0, "maintain": 300.0}


def missing(program: str) -> str | None:
    """Why `program` cannot be said to work, None where it works. Raises ConfigurationError."""
    return _web_missing() if program == "web" else _unseen(program)


def _web_missing() -> str | None:
    connection = http.client.HTTPConnection(
        "127.0.0.1", env.integer("PORT", 8000, 1, 65535), timeout=PATIENCE_S
    )
    hosts = [name for name in env.words("ALLOWED_HOSTS", ("localhost",)) if "*" not in name]
    try:
        connection.request("GET", PATH, headers={"Host": hosts[0].lstrip(".") if hosts else "localhost"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{PATH} does not answer: {error}"
    finally:
        connection.close()
    return None if status == http.client.OK else f"{PATH} answers with status {status}"


def _unseen(program: str) -> str | None:
    client = redis.Redis.from_url(
        env.redis_url(), socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S
    )
    try:
        moment = client.hget(SEEN, f"{program}@{socket.gethostname()}")
    except redis.RedisError as error:
        return f"Redis does not answer: {error}"
    if moment is None:
        return f"no {program} was ever seen on this host"
    age = time.time() - float(str(moment.decode() if isinstance(moment, bytes) else moment))
    return None if age <= SEEN_WITHIN_S[program] else f"{program} was last seen {age:.0f} s ago"


def main(arguments: list[str]) -> int:
    programs = ("web", *SEEN_WITHIN_S)
    if len(arguments) != 1 or arguments[0] not in programs:
        sys.stderr.write(f"usage: python -m config.alive {'|'.join(programs)}\n")
        return 2
    why = missing(arguments[0])
    if why is not None:
        sys.stderr.write(f"{why}\n")
    return 0 if why is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
