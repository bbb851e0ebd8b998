"""What the scripts of both proxies share: their arguments, and the files that they write."""

import argparse
import logging
from pathlib import Path

import pandas as pd

from petite.features.io import FeatureRecord, ProxyOf, image_ids_digest
from petite.subsets.records import ProxyRecord
from petite.training.scores import ProxyResult
from petite.util.files import write_array, write_json, write_table
from petite.util.job import argument_parser

logger = logging.getLogger(__name__)


def proxy_parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser with the arguments of both scripts."""
    parser = argument_parser(description)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True, help="the seed of the training")
    parser.add_argument(
        "--output-scores", type=Path, required=True, help="a .parquet, and a .json next to it"
    )
    parser.add_argument(
        "--output-features", type=Path, required=True, help="a .npy, and a .json next to it"
    )
    parser.add_argument(
        "--output-gradients", type=Path, required=True, help="a .npy, and a .json next to it"
    )
    return parser


def write_proxy(
    args: argparse.Namespace,
    result: ProxyResult,
    image_ids: pd.Series,
    classes: list[str],
    proxy_of: ProxyOf,
    seconds: float,
    embedding_seconds: float = 0.0,
) -> None:
    """Write the scores, the features and the gradients, each with its record, and log a summary.

    Parameters
    ----------
    args : Namespace
        As `proxy_parser` parses them.
    result : ProxyResult
    image_ids : Series of shape (n,) of str
        The training images.
    classes : list of str
        Names of the classes.
    proxy_of : {"network", "embeddings"}
        See `ProxyOf`.
    seconds : float
        What the proxy took, embedding the images included.
    embedding_seconds : float
        The part that embedding took.
    """
    digest = image_ids_digest(image_ids)
    record: ProxyRecord = {
        "proxy_of": proxy_of,
        "seed": args.seed,
        "seconds": seconds,
        "embedding_seconds": embedding_seconds,
        "image_ids_sha256": digest,
        "steps": result.steps,
        "early_step": result.early_step,
        "class_errors": result.class_errors,
    }
    write_table(args.output_scores, pd.DataFrame({"image_id": image_ids, **result.scores}))
    write_json(args.output_scores.with_suffix(".json"), record)
    for space, path, features in (
        ("proxy", args.output_features, result.features),
        ("gradients", args.output_gradients, result.gradients),
    ):
        about: FeatureRecord = {
            "space": space,
            "proxy_of": proxy_of,
            "dimensions": features.shape[1],
            "seconds": seconds,
            "embedding_seconds": embedding_seconds,
            "image_ids_sha256": digest,
        }
        write_array(path, features)
        write_json(path.with_suffix(".json"), about)
    logger.info(
        "the proxy of %d steps, seed %d: %.1f%% training accuracy, errors by class: %s",
        result.steps,
        args.seed,
        100 * result.accuracy,
        ", ".join(
            f"{name} {error:.1%}" for name, error in zip(classes, result.class_errors, strict=True)
        ),
    )
