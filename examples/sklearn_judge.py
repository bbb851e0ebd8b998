"""A judge for Petite with scikit-learn: multinomial logistic regression on the pixels.

    judges:
      pixels:
        command: "python examples/sklearn_judge.py --train {train} --validation {validation}
          --test {test} --seed {seed} --out {predictions}"

The validation images choose the strength of the penalty. `--seed` is part of every command, but
this program draws nothing at random.
"""

import argparse

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True, help="CSV: file, label, class_name, weight")
    parser.add_argument("--validation", required=True, help="the same columns; may have no rows")
    parser.add_argument("--test", required=True, help="CSV: file")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", required=True, help="CSV to write: a row for each test image")
    args = parser.parse_args()

    train, validation, test = map(pd.read_csv, (args.train, args.validation, args.test))
    pixels = read_images(train)
    strengths = STRENGTHS if len(validation) else STRENGTHS[1:2]
    models = [fitted(pixels, train, strength) for strength in strengths]
    if len(models) > 1:
        held_out = read_images(validation)
        models.sort(key=lambda model: model.score(held_out, validation["label"]))
    probabilities = models[-1].predict_proba(read_images(test))
    np.savetxt(args.out, probabilities, delimiter=",")


def read_images(table: pd.DataFrame) -> np.ndarray:
    """One row of pixel values for each image; all images have the same size."""
    return np.stack([np.asarray(Image.open(file), np.float32).ravel() for file in table["file"]])


def fitted(pixels: np.ndarray, train: pd.DataFrame, strength: float):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    return model.fit(pixels, train["label"], logisticregression__sample_weight=train["weight"])


if __name__ == "__main__":
    main()
