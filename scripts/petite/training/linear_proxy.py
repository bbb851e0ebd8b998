"""A proxy that is a linear classifier on embeddings: it trains in a second, in NumPy.

It takes the place of the network of `petite.training.proxy` where the embeddings of a pretrained
network are at hand. A score is then how hard an image is for a classifier of these embeddings.
"""

import numpy as np
from pydantic import Field

from petite.features.pca import CONSTANT
from petite.training import metrics
from petite.training.batches import Batches
from petite.training.schedule import early_evaluation, evaluation_steps, learning_rates
from petite.training.scores import Dynamics, Features, ProxyResult, blocks_of, proxy_result
from petite.util.seeds import generator
from petite.util.validation import Strict

# Initial logits of 1 would still decide the early scores. On 1,000 photographs, 5% of them with a
# wrong label, the rank correlation of two seeds' el2n is 0.69 with 1 and 0.99 with 0.1, and the 5%
# with the highest el2n include 90% and 96% of the wrong labels.
INITIAL_LOGITS = 0.1
# The fraction of the steps in which the learning rate rises.
WARM_UP = 0.15
# A batch is at most this fraction of the images, so that the order matters for few images too.
SMALLEST_BATCH, BATCHES_OF_A_PASS = 16, 8


class LinearProxySettings(Strict):
    """Training of the linear proxy."""

    steps: int = Field(200, ge=2, description="training steps")
    evaluations: int = Field(10, ge=2, description="number of evaluations of all images")
    early: float = Field(
        0.3, gt=0, le=1, description="fraction of the run after which early scores are computed"
    )
    batch_size: int = Field(
        512, ge=1, description="images in a batch, an eighth of all images at most"
    )
    learning_rate: float = Field(
        0.03,
        gt=0,
        description="maximum of the schedule, divided by the root of the number of features",
    )


def linear_proxy(
    embeddings: np.ndarray,
    labels: np.ndarray,
    held_out_embeddings: np.ndarray,
    held_out_labels: np.ndarray,
    n_classes: int,
    seed: int,
    settings: LinearProxySettings | None = None,
    rows: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> ProxyResult:
    """Train a linear classifier on embeddings, for scores, features and gradients of each image.

    The embeddings are standardized by the training images, in blocks and not as a whole. The model
    is a softmax regression, trained by Adam with the learning rates of `one_cycle`. The same seed
    gives the same initial weights and order of the images.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, d)
        Of the training images.
    labels : ndarray of int, shape (n,)
        From 0 to n_classes - 1.
    held_out_embeddings : ndarray of float32, shape (m, d)
        Of the validation images, which the errors of the classes are measured on.
    held_out_labels : ndarray of int, shape (m,)
    n_classes : int
        2 or more.
    seed : int
        The training seed.
    settings : LinearProxySettings, optional
        None: the defaults.
    rows : ndarray of int, optional
        The training images in use, of which the results are, in this order. None: all.
    weights : ndarray of float, shape (n,), optional
        The weight of each training image in the loss. None: all the same.

    Returns
    -------
    ProxyResult
        Its features are the final logits. The input of the last layer, as of a network, would be
        the embeddings themselves: the space `backbone` has them, and they are the same for all
        seeds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(200) % 2
    >>> embeddings = rng.normal(size=(200, 8)).astype(np.float32) + 2 * labels[:, None]
    >>> labels[7] = 0  # a wrong label
    >>> result = linear_proxy(embeddings, labels, embeddings[:0], labels[:0], n_classes=2, seed=0)
    >>> int(result.scores["el2n"].argmax()), int(result.scores["aum"].argmin())
    (7, 7)
    """
    used = np.arange(len(embeddings)) if rows is None else rows
    labels = labels[used]
    standardized = Standardized.by_itself(embeddings, used)
    dynamics, model = record_linear_dynamics(
        standardized,
        labels,
        n_classes,
        seed,
        settings or LinearProxySettings(),
        None if weights is None else weights[used],
    )

    def predicted() -> np.ndarray:
        return model.logits(standardized.alike(held_out_embeddings)).argmax(axis=1)

    return proxy_result(dynamics, labels, held_out_labels, predicted, seed)


class Standardized:
    """Standardized embeddings, which are computed from the original ones whenever they are read.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (N, d)
    rows : ndarray of int, shape (n,)
        The rows in use, in the order of this.
    mean, scale : ndarray of float32, shape (d,)
        What each column is subtracted and multiplied by.
    """

    def __init__(
        self, embeddings: np.ndarray, rows: np.ndarray, mean: np.ndarray, scale: np.ndarray
    ) -> None:
        self.shape: tuple[int, ...] = (len(rows), embeddings.shape[1])
        self._embeddings = embeddings
        self._rows = rows
        self._mean = mean
        self._scale = scale

    @classmethod
    def by_itself(cls, embeddings: np.ndarray, rows: np.ndarray) -> "Standardized":
        """Standardize by the mean and deviation of the rows in use; constant columns become 0."""
        width = embeddings.shape[1]
        plain = cls(embeddings, rows, np.zeros(width, np.float32), np.ones(width, np.float32))
        mean, squares = np.zeros(width), np.zeros(width)
        for block in blocks_of(plain):
            mean += plain[block].sum(axis=0, dtype=np.float64) / len(rows)
        for block in blocks_of(plain):
            squares += np.square(plain[block] - mean).sum(axis=0)
        deviation = np.sqrt(squares / len(rows))
        scale = np.zeros(width)
        varies = deviation > CONSTANT * np.abs(mean)
        scale[varies] = 1 / deviation[varies]
        return cls(embeddings, rows, mean.astype(np.float32), scale.astype(np.float32))

    def alike(self, embeddings: np.ndarray) -> "Standardized":
        """Standardize other embeddings by the same mean and deviation."""
        return Standardized(embeddings, np.arange(len(embeddings)), self._mean, self._scale)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Read some rows, float32 (m, d)."""
        block = self._embeddings[self._rows[rows]]
        block -= self._mean
        block *= self._scale
        return block


class LinearModel:
    """A softmax regression and the state of its optimizer, Adam.

    Parameters
    ----------
    width : int
        Number of features.
    n_classes : int
    rng : numpy.random.Generator
        Draws the initial weights, for logits with a deviation of about INITIAL_LOGITS.
    """

    def __init__(self, width: int, n_classes: int, rng: np.random.Generator) -> None:
        self.kernel = rng.standard_normal((width, n_classes), dtype=np.float32)
        self.kernel *= np.float32(INITIAL_LOGITS / np.sqrt(width))
        self.bias = np.zeros(n_classes, np.float32)
        self._adam = [Adam(self.kernel), Adam(self.bias)]

    def logits(self, features: Features) -> np.ndarray:
        """The logits of all rows, float32 (n, n_classes)."""
        result = np.empty((features.shape[0], len(self.bias)), np.float32)
        for rows in blocks_of(features):
            result[rows] = features[rows] @ self.kernel + self.bias
        return result

    def step(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        learning_rate: float,
        weights: np.ndarray | None = None,
    ) -> None:
        """Take one step on a batch, whose images may have weights."""
        errors = metrics.from_logits(features @ self.kernel + self.bias)
        errors[np.arange(len(labels)), labels] -= 1
        if weights is not None:
            errors *= weights[:, None]
        errors = (errors / len(labels)).astype(np.float32)
        for adam, gradient in zip(
            self._adam, (features.T @ errors, errors.sum(axis=0)), strict=True
        ):
            adam.update(gradient, learning_rate)


class Adam:
    """Adam on one array, which it changes in place.

    References
    ----------
    Kingma, Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1.
    """

    DECAYS = 0.9, 0.999
    EPSILON = 1e-7

    def __init__(self, weights: np.ndarray) -> None:
        self._weights = weights
        self._mean = np.zeros_like(weights)
        self._square = np.zeros_like(weights)
        self._steps = 0

    def update(self, gradient: np.ndarray, learning_rate: float) -> None:
        """Take one step."""
        self._steps += 1
        first, second = self.DECAYS
        self._mean += (1 - first) * (gradient - self._mean)
        self._square += (1 - second) * (np.square(gradient) - self._square)
        mean = self._mean / (1 - first**self._steps)
        square = self._square / (1 - second**self._steps)
        self._weights -= np.float32(learning_rate) * mean / (np.sqrt(square) + self.EPSILON)


def record_linear_dynamics(
    features: Standardized,
    labels: np.ndarray,
    n_classes: int,
    seed: int,
    settings: LinearProxySettings,
    weights: np.ndarray | None = None,
) -> tuple[Dynamics, LinearModel]:
    """Train a linear classifier and record its logits for all images at each evaluation.

    Parameters
    ----------
    features : Standardized, shape (n, d)
    labels, n_classes, seed, settings, weights
        As `linear_proxy` takes them, of these images.

    Returns
    -------
    Dynamics
    LinearModel
        After the last step.
    """
    n_images, width = features.shape
    steps = evaluation_steps(settings.steps, settings.evaluations)
    # A step changes each weight by about the rate, so that of the logits grows with the features.
    peak = settings.learning_rate / np.sqrt(width)
    rates = learning_rates("one_cycle", settings.steps, peak, WARM_UP)
    batch_size = min(settings.batch_size, max(SMALLEST_BATCH, n_images // BATCHES_OF_A_PASS))
    batches = Batches(labels, weights, batch_size, seed)
    model = LinearModel(width, n_classes, generator(seed, "linear proxy"))
    logits = []
    for step, rate in enumerate(rates):
        rows, _ = batches.rows(step)
        model.step(features[rows], labels[rows], rate, None if weights is None else weights[rows])
        if step + 1 in steps:
            logits.append(model.logits(features))
    dynamics = Dynamics(
        logits=np.stack(logits),
        features=logits[-1],
        early_inputs=features,
        early=early_evaluation(steps, settings.early),
        steps=steps,
    )
    return dynamics, model
