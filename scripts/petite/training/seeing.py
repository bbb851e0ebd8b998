"""Keep all images, but see fewer of them: trainings that skip a part of each pass.

They are methods of the config besides those that select: their subset is the full set, and the
share of its examples that a training sees is theirs.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from petite.training.batches import Batches, epoch_order
from petite.util.validation import Strict


class Rs2Settings(Strict):
    """A fresh random part of the images in each pass.

    References
    ----------
    Okanovic and others 2024, "Repeated Random Sampling for Minimizing the Time-to-Accuracy of
    Learning".
    """

    seen: float = Field(
        0.25, gt=0, lt=1, description="share of the images that each pass sees, and of the steps"
    )
    replacement: bool = Field(
        False,
        description="true: each pass draws from all images; false: from those that were not seen "
        "yet, until all were",
    )


class InfoBatchSettings(Strict):
    """Skip a random part of the images with a low loss, and count the others of them more.

    References
    ----------
    Qin and others 2024, "InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning".
    """

    pruned: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="share of the images with a loss below the mean that each pass skips",
    )
    annealing: float = Field(
        0.125, ge=0, le=1, description="last part of the training, which sees all images"
    )


SeeingSettings = Rs2Settings | InfoBatchSettings
# By the names of the methods.
SEE_FEWER: dict[str, type[Rs2Settings] | type[InfoBatchSettings]] = {
    "rs2": Rs2Settings,
    "infobatch": InfoBatchSettings,
}


def seeing_of(values: Mapping[str, Any] | None) -> SeeingSettings | None:
    """The settings from JSON: those of a method below its name; None for all others."""
    if not values:
        return None
    [(method, settings)] = values.items()
    return SEE_FEWER[method].model_validate(settings)


def expected_share(values: Mapping[str, Any]) -> float:
    """About the share of the steps that such a training takes; `values` as for `seeing_of`."""
    settings = seeing_of(values)
    if isinstance(settings, Rs2Settings):
        return settings.seen
    assert settings is not None
    # About half of the images have a loss below the mean.
    return settings.annealing + (1 - settings.annealing) * (1 - settings.pruned / 2)


def batches_for(
    seeing: SeeingSettings | None, labels: np.ndarray, *arguments: Any, steps: int
) -> Batches:
    """The batches of a training.

    Parameters
    ----------
    seeing : Rs2Settings or InfoBatchSettings, optional
        None: it sees all images.
    labels, *arguments
        As `Batches` takes them.
    steps : int
        How many the training would have if it saw all images.
    """
    if isinstance(seeing, Rs2Settings):
        return RandomParts(labels, *arguments, settings=seeing)
    if isinstance(seeing, InfoBatchSettings):
        return WithoutEasy(labels, *arguments, settings=seeing, steps=steps)
    return Batches(labels, *arguments)


class RandomParts(Batches):
    """RS2: a random part of the images in each pass.

    Without replacement, the passes are those of `Batches` cut into parts: so it is a training on
    all images with fewer steps.
    """

    def __init__(self, *arguments: Any, settings: Rs2Settings, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.settings = settings

    def stride(self, step: int) -> float:
        return 1 / self.settings.seen

    def rows(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        if not self.settings.replacement:
            return super().rows(step)
        part = max(1, round(self.settings.seen * len(self.labels)))
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        passes, places = np.divmod(places, part)
        rows = np.empty_like(places)
        for number in range(int(passes[0]), int(passes[-1]) + 1):
            here = passes == number
            rows[here] = epoch_order(self.seed, number, len(self.labels))[places[here]]
        return rows, passes


class WithoutEasy(Batches):
    """InfoBatch: passes without a random part of the images whose last loss was below the mean.

    The other images of a low loss count as much more as is skipped of them, so that the sum of the
    gradients over a pass is expected to be that over all images. What is skipped depends on the
    losses so far, so the batches are to be drawn in turn, each followed by `learn`.
    """

    def __init__(
        self, *arguments: Any, settings: InfoBatchSettings, steps: int, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self.settings = settings
        self.losses = np.full(len(self.labels), math.inf)  # of images that were not seen yet
        self._all_steps = steps
        self._done = 0.0  # of them
        self._pass = -1
        self._left: list[tuple[int, float, float, int]] = []
        self._drawn: list[tuple[int, float, float, int]] = []
        self._step = -1

    def rows(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        if step != self._step:
            self._draw(step)
        rows, _, _, passes = zip(*self._drawn, strict=True)
        return np.array(rows), np.array(passes)

    def stride(self, step: int) -> float:
        return float(np.mean([stride for _, _, stride, _ in self._drawn]))

    def row_weights(self, rows: np.ndarray) -> NDArray[np.float32]:
        own = np.array([weight for _, weight, _, _ in self._drawn], np.float32)
        given = super().row_weights(rows)
        return own if given is None else own * given

    def learn(self, rows: np.ndarray, losses: np.ndarray) -> None:
        self.losses[rows] = losses

    def _draw(self, step: int) -> None:
        assert step == self._step + 1
        self._step = step
        self._done += self.stride(step) if self._drawn else 0.0
        while len(self._left) < self.batch_size:
            self._left += self._next_pass()
        self._drawn = self._left[: self.batch_size]
        del self._left[: self.batch_size]

    def _next_pass(self) -> list[tuple[int, float, float, int]]:
        """The row, the weight, the stride and the pass of each image of a pass, in order."""
        self._pass += 1
        n = len(self.labels)
        ending = self._done >= (1 - self.settings.annealing) * self._all_steps
        kept, weights = (
            (np.arange(n), np.ones(n))
            if ending
            else without_easy(self.losses, self.settings.pruned, self.seed, self._pass)
        )
        order = epoch_order(self.seed, self._pass, n)
        order = order[np.isin(order, kept)]
        of_row = dict(zip(kept.tolist(), weights.tolist(), strict=True))
        stride = n / len(kept)
        return [(row, of_row[row], stride, self._pass) for row in order.tolist()]


def without_easy(
    losses: NDArray[np.float64], pruned: float, seed: int, number: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which images a pass of InfoBatch sees, and the weight of each.

    Parameters
    ----------
    losses : ndarray of float, shape (n,)
        The last loss of each image; infinite for one without any, which is seen.
    pruned : float
        Share of the images below the mean loss to skip, above 0 and below 1.
    seed, number : int
        The training's seed and the number of the pass.
    """
    known = losses[np.isfinite(losses)]
    easy = np.flatnonzero(losses < known.mean()) if len(known) else np.empty(0, np.int64)
    left = len(easy) - int(pruned * len(easy))
    rng = np.random.default_rng([seed, 3, number])
    seen = rng.choice(easy, left, replace=False)
    weights = np.ones(len(losses))
    weights[seen] = len(easy) / left if left else 1.0
    kept = np.union1d(np.setdiff1d(np.arange(len(losses)), easy), seen)
    return kept, weights[kept]
