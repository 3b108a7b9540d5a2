"""The benchmarks of goals.md, run from a checkout: its rooms can be imported, also in the processes started here."""

import os
import sys
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent
_ROOMS = [str(_CHECKOUT), str(_CHECKOUT / "platform")]
sys.path[:0] = [room for room in _ROOMS if room not in sys.path]
os.environ["PYTHONPATH"] = os.pathsep.join(_ROOMS)
