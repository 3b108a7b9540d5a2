"""The clock: `python -m config.beat` sends the periodic tasks until SIGTERM. Run exactly one.

A second one does no harm but work done twice: every task that it sends may be repeated.
"""

import os
import sys

from config import env


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        schedule = env.home() / "celerybeat-schedule"
        # Only importable with the settings, which this reads for the first time.
        from config.celery import app, prepare

        prepare()
    except env.ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    app.start(["--quiet", "beat", "-s", str(schedule), "--pidfile="])
    return 0


if __name__ == "__main__":
    sys.exit(main())
