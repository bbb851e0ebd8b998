"""The configuration of a run that judges what a search within a budget of bytes found."""

import json
from dataclasses import dataclass
from pathlib import Path

from petite.config.encodings import EncodingSettings
from petite.config.export import BEST
from petite.config.methods import FULL
from petite.config.schema import Config, load
from petite.evaluation.runs import REFERENCE as RANDOM
from petite.training.byte_search import CODEC
from petite.util.encoded_names import ORIGINAL
from petite.util.errors import PetiteError
from petite.util.files import read_json


@dataclass(frozen=True)
class Winner:
    """What a search found.

    Attributes
    ----------
    side, quality : int
    fraction : float
        The number of images, as a share of the training images.
    codec : str
    """

    side: int
    quality: int
    fraction: float
    codec: str = CODEC


# Stands for what a search will find.
ANY = Winner(64, 20, 0.0123)


def read_winner(path: Path) -> Winner | None:
    """Read what a search found; None if there is no record of one.

    Raises
    ------
    PetiteError
        If the file is damaged.
    """
    if not path.exists():
        return None
    try:
        record = read_json(path)
        # One of an earlier version has none, and its search is due again.
        if isinstance(record, dict) and "training_images" not in record:
            return None
        winner = record["winner"]
        share = float(f"{winner['images'] / record['training_images']:g}")
        return Winner(winner["side"], winner["quality"], share, winner["codec"])
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise PetiteError(
            f"'{path}', which says what the search within the budget of bytes found, is damaged. "
            "Delete it to search again"
        ) from error


def config_of_winner(config: Config, winner: Winner) -> Config:
    """The configuration that compares a winner with all originals, and with as many of them.

    Raises
    ------
    PetiteError
        Where it is not valid.
    """
    # A dump leaves out the keys that change no result.
    values = config.model_dump(mode="json")
    values |= {"export": config.export, "export_formats": config.export_formats, "bytes": None}
    encoding = EncodingSettings(side=winner.side, codec=winner.codec, quality=winner.quality)
    values["encodings"] = [{"codec": ORIGINAL}, encoding.model_dump(mode="json")]
    for label, entry in values["methods"].items():
        entry["fractions"] = [1] if label == FULL else []
    if winner.fraction < 1:
        values["methods"][RANDOM]["fractions"] = [winner.fraction]
    for judge in filter(None, values["judges"].values()):
        judge["fractions"] = None
    return load(values)


def check_winner_can_be_judged(config: Config) -> None:
    """Refuse, before a search, settings with which no winner can be judged.

    What may be exported is known after it.

    Raises
    ------
    PetiteError
    """
    try:
        config_of_winner(config.model_copy(update={"export": BEST}), ANY)
    except PetiteError as error:
        raise PetiteError(
            f"bytes: with these settings, what the search finds cannot be judged: {error}"
        ) from error
