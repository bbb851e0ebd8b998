"""What this machine was seen to take: timed steps, and how earlier forecasts compared with runs.

It is a file in the user's cache. Nothing depends on it but forecasts: without it, they use the
measurements of another machine (`petite.forecast.slopes`).
"""

import hashlib
import json
import math
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from petite.util.errors import PetiteError
from petite.util.files import read_json, write_json

# A ratio of a run counts as half of what is known from then on.
NEW = 0.5
# Ratios beyond these are of a machine that did something else. A GPU, which is not forecast, trains
# some 40 times as fast as a core.
LEAST, MOST = 0.01, 4.0


@dataclass(frozen=True)
class Timing:
    """What a training, or embedding images, takes on this machine, in seconds.

    Attributes
    ----------
    start : float
        Until the first step is over: loading the libraries, building and compiling.
    step : float
        A step, on average.
    image : float
        The prediction for an image, or its embedding.
    seed : float
        Of a run beside its steps and predictions.
    parameters : int
        Numbers of the network; 0 if unknown.
    """

    start: float
    step: float
    image: float
    seed: float
    parameters: int = 0


@dataclass(frozen=True)
class History:
    """What is known of a machine.

    Attributes
    ----------
    timings : dict of str to Timing
        By `key_of` of the training.
    ratios : dict of str to float
        How many times its forecast a rule took; of a training by its key.
    """

    timings: Mapping[str, Timing] = field(default_factory=dict)
    ratios: Mapping[str, float] = field(default_factory=dict)

    def with_timing(self, key: str, timing: Timing) -> "History":
        """A newly timed training makes what was known of its runs obsolete."""
        ratios = {known: ratio for known, ratio in self.ratios.items() if known != key}
        return replace(self, timings={**self.timings, key: timing}, ratios=ratios)

    def with_run(self, ratios: Mapping[str, float]) -> "History":
        """Add how many times its forecast (which used this history) each rule took."""
        found = dict(self.ratios)
        for key, ratio in ratios.items():
            if ratio > 0 and math.isfinite(ratio):
                known = found.get(key, 1.0)
                found[key] = min(MOST, max(LEAST, known * ratio ** (NEW if key in found else 1.0)))
        return replace(self, ratios=found)


NOTHING_KNOWN = History()


def key_of(*parts: Any) -> str:
    """The key of a training: equal parts give the same one."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def default_path() -> Path:
    """The file of this machine: $PETITE_HISTORY, or one in the cache of the user."""
    if given := os.environ.get("PETITE_HISTORY"):
        return Path(given)
    # Path.home() fails where the user has no home.
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(cache) / "petite" / f"forecast-{socket.gethostname()}.json"


def read_history(path: Path) -> History:
    """Read what is known; nothing if the file is missing, damaged or of another version."""
    try:
        found = read_json(path)
        timings = {key: Timing(**timing) for key, timing in found["timings"].items()}
        ratios = {str(key): float(ratio) for key, ratio in found["ratios"].items()}
        return History(timings, ratios)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return NOTHING_KNOWN


def write_history(path: Path, history: History) -> None:
    """Write what is known, if this user may; a forecast is not worth an error."""
    with suppress(OSError, PetiteError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(history))
