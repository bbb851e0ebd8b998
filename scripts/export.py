"""Write the images of a subset with a manifest and a card, for use without Petite."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from petite.data.encoded import EncodedImages
from petite.data.given_split import leaked, read_leaks
from petite.data.source_job import add_source, opened_if_there, reason_gone
from petite.data.splits import training_images
from petite.data.store import Store
from petite.evaluation.recommendation import Answers
from petite.evaluation.wording import Wording
from petite.export import About, export_subset
from petite.export.card import ignored_files
from petite.subsets.made_tables import images_used
from petite.subsets.seed_tables import SeedTable
from petite.training.soft_labels import add_soft_labels, soft_labels
from petite.util.encoded_names import ORIGINAL, encoding_of, method_of
from petite.util.errors import PetiteError
from petite.util.files import read_json, read_table
from petite.util.job import argument_parser, run
from petite.util.notices import notice

# Formats that need only the stored images.
OF_THE_STORE = {"npz"}
SHOWN = 5

logger = logging.getLogger(__name__)


class Chosen(NamedTuple):
    """The subset to export, maybe in an encoding, and the reason if it is the recommended one."""

    method: str
    fraction: float
    seed: int
    why: str | None = None


def main(args: argparse.Namespace) -> None:
    chosen = _chosen(args)
    path = Path(args.settings["subsets"][f"{method_of(chosen.method)}:{chosen.fraction:g}"])
    selected = SeedTable(path, chosen.seed)
    subset = selected.read()
    about = About(
        dataset=args.dataset,
        source=args.source,
        label=chosen.method,
        fraction=chosen.fraction,
        seed=chosen.seed,
        record=selected.record(),
        training_images=len(training_images(read_table(args.split))),
        why=chosen.why,
        leaked=leaked(read_leaks(args.leaks), {*subset["origin"], *images_used(subset)}),
    )
    store, formats = Store.open(args.manifest), args.settings["formats"]
    encoded = _encoded(chosen, store, args.settings["encodings"])
    with opened_if_there(args, args.settings["max_bytes"]) as source:
        wanted = sorted({*formats} - OF_THE_STORE)
        if source is None and encoded is None and wanted:
            raise PetiteError(_without_originals(args.path, subset, wanted))
        manifest = export_subset(
            *(args.output, subset, about, store, source, formats, encoded),
            soft=soft_labels(args),
        )
    if "folder" in formats and (ignored := ignored_files(manifest)):
        other = "Convert them to PNG" if encoded is None else "Use export_formats=container"
        notice(f"{' '.join(ignored)} {other}, or load them with Pillow.")
    logger.info("%d images of %s are in %s", len(manifest), about.label, args.output)


def _chosen(args: argparse.Namespace) -> Chosen:
    """The subset that the configuration names, or the recommended one."""
    if args.settings["choice"]:
        return Chosen(**args.settings["choice"])
    recommendation = Answers.from_json(read_json(args.recommendation)).first
    kept = recommendation.kept
    if kept is None:
        raise PetiteError(
            f"there is nothing to export, because no subset is recommended (see "
            f"{args.recommendation}). Name a subset, as in --config export=random:0.1"
        )
    return Chosen(kept.method, kept.fraction, kept.seed, Wording(recommendation).answer())


def _encoded(
    chosen: Chosen, store: Store, tables: Mapping[str, Sequence[str]]
) -> EncodedImages | None:
    """The encoded images that are exported; None for the originals."""
    encoding = encoding_of(chosen.method)
    if encoding == ORIGINAL:
        return None
    return EncodedImages(encoding, store, [Path(path) for path in tables[encoding]])


def _without_originals(path: Path, subset: pd.DataFrame, formats: list[str]) -> str:
    """The message if the source is gone."""
    files = subset.loc[subset["recipe"] == "", "image_id"].tolist()
    shown = ", ".join(files[:SHOWN]) + (", ..." if len(files) > SHOWN else "")
    return (
        f"{path} {reason_gone(path)}, and the export as {' and '.join(formats)} needs {len(files)} "
        f"of its files ({shown}). Put them back, set dataset.path to their new location, or export "
        "the stored images, which needs no originals: --config export_formats=[npz]"
    )


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument("--leaks", type=Path, required=True, help="the CSV file of its leaks")
    add_source(parser)
    parser.add_argument(
        "--recommendation", type=Path, help="recommendation.json, if no subset is named"
    )
    add_soft_labels(parser)
    parser.add_argument("--dataset", required=True, help="the name of the data set")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    run(main, parser)
