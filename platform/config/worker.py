"""The worker process: `python -m config.worker` runs background tasks in threads until SIGTERM.

As many processes as wanted may run, on any machine; WORKER_THREADS says how many tasks each runs at a time.
"""

import os
import sys
import warnings

from config import env

ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Its warning against running as root is about unpickling, and our messages are JSON.
    warnings.filterwarnings("ignore", message="You're running the worker")
    try:
        threads = env.integer("WORKER_THREADS", 4, 1, 100)
        # Only importable with the settings, which this reads for the first time.
        from config.celery import app, prepare

        prepare()
    except env.ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    app.worker_main(
        ["--quiet", "worker", "-P", "threads", "-c", str(threads), "-I", "config.heartbeat", *ALONE]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
