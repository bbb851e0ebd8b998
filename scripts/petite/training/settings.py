"""Training settings, checked before anything is trained."""

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from petite.networks.models import MODELS, ModelSettings, choice_of
from petite.training.augment import Augmentation
from petite.util.errors import PetiteError
from petite.util.hints import unknown
from petite.util.validation import Strict, problems_of


class Budget(Strict):
    """Training length: in steps (the same for every subset) or in epochs of the subset."""

    steps: int | None = Field(None, ge=1, le=10**9, description="training steps; null: use epochs")
    epochs: float | None = Field(None, gt=0, description="passes over the subset; null: use steps")

    @model_validator(mode="after")
    def _exactly_one(self) -> "Budget":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("steps: give either steps or epochs, and null for the other")
        return self

    def total_steps(self, rows: int, batch_size: int) -> int:
        """Steps for a subset of `rows` rows; epochs count images seen, rounded up to a batch."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return max(1, -int(-self.epochs * rows // batch_size))

    def __str__(self) -> str:
        return f"{self.steps} steps" if self.steps is not None else f"{self.epochs:g} epochs"


class Phase(Strict):
    """A phase of a run that trains on smaller images."""

    scale: float | None = Field(
        None,
        gt=0,
        le=1,
        description="image size in this phase, as a fraction of dataset.image_size",
    )
    image_size: int | None = Field(
        None, ge=8, description="image size in this phase in pixels, instead of scale"
    )
    share: float = Field(gt=0, le=1, description="fraction of the training steps")

    @model_validator(mode="after")
    def _one_side(self) -> "Phase":
        if (self.scale is None) == (self.image_size is None):
            raise ValueError("scale: give either scale or image_size")
        return self


if TYPE_CHECKING:

    class ModelChoice(Strict):
        """Which model is trained: `model`, and a field for each model that has settings."""

        model: str = "compact"

else:
    ModelChoice = choice_of(MODELS.values())


class LoopSettings(Strict):
    """What `petite.training.loop` needs to train a network, from scratch or pretrained."""

    backend: Literal["tensorflow", "jax", "torch"] = Field(
        "tensorflow", description="what Keras runs on; install jax or torch yourself"
    )
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "float32",
        description="bfloat16: activations in 16 bits, weights in 32; auto: bfloat16 where the "
        "processor computes in it",
    )
    batch_size: int = Field(64, ge=2, le=65_536, description="images of a training step")
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="part of each target that is spread over all classes"
    )
    flips: Literal["none", "random", "alternating"] = Field(
        "random", description="horizontal flips; alternating: in every second pass over an image"
    )
    crop_area: float = Field(
        1.0,
        gt=0,
        le=1,
        description="each image shows a random part of itself, enlarged: of at least this share of "
        "its area; 1: all of it",
    )
    crop_padding: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="maximum random shift, as a fraction of the side; edges are mirrored",
    )
    brightness: float = Field(
        0.0,
        ge=0,
        le=1,
        description="each channel of each image is multiplied by a random factor from "
        "1 - brightness to 1 + brightness",
    )
    mixup: float = Field(
        0.0,
        ge=0,
        le=10,
        description="blend each image and its target with another of its batch, by a share from "
        "Beta(mixup, mixup); 0: none",
    )
    cutmix: float = Field(
        0.0,
        ge=0,
        le=10,
        description="paste a box of another image of the batch into each, whose share of the area "
        "is from Beta(cutmix, cutmix), and mix the targets as much; 0: none",
    )
    test_time_flip: bool = Field(
        True, description="average the logits of an image and its mirror image"
    )
    evaluations: int = Field(
        10, ge=1, description="number of points on the learning curves of a run"
    )

    @property
    def augmentation(self) -> Augmentation:
        """How the training images are augmented."""
        return Augmentation(
            flips=self.flips,
            crop_area=self.crop_area,
            crop_padding=self.crop_padding,
            brightness=self.brightness,
            mixup=self.mixup,
            cutmix=self.cutmix,
        )


class TrainingSettings(LoopSettings, ModelChoice):
    """How the models are trained; the defaults suit small grayscale images."""

    batch_norm_momentum: float = Field(
        0.9, gt=0, lt=1, description="0.9 suits hundreds of steps; 0.99 needs thousands"
    )
    budget: Budget = Budget(steps=200)
    optimizer: Literal["sgd", "adam", "adamw"] = Field(
        "adamw", description="sgd uses Nesterov momentum 0.9"
    )
    learning_rate: float = Field(0.005, gt=0, description="maximum learning rate of the schedule")
    weight_decay: float = Field(
        0.05, ge=0, description="decoupled weight decay of convolution and dense kernels"
    )
    schedule: Literal["one_cycle", "constant"] = Field(
        "one_cycle",
        description="one_cycle: linear warm-up from a tenth, then linear decay to near 0",
    )
    warm_up: float = Field(
        0.15, ge=0, lt=1, description="fraction of the steps in which one_cycle warms up"
    )
    phases: list[Phase] = Field(
        [], description="progressive resizing: phases in order, shares sum to 1; []: full size"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainingSettings":
        if self.model not in MODELS:
            raise ValueError(f"model: {unknown(self.model, MODELS, 'model')}")
        if self.phases and abs(sum(phase.share for phase in self.phases) - 1) > 1e-6:
            raise ValueError("phases: the shares must add up to 1")
        if self.phases and not MODELS[self.model].any_size:
            raise ValueError(f"phases: '{self.model}' takes one image size only; use []")
        return self

    def model_settings(self) -> ModelSettings:
        """The chosen model's own settings."""
        own: ModelSettings | None = getattr(self, self.model, None)
        return MODELS[self.model].settings() if own is None else own

    def smallest_side(self) -> int:
        """The smallest image side in pixels that the chosen model accepts."""
        return MODELS[self.model].smallest_side(self.model_settings())

    def feature_width(self) -> int:
        """The number of input features of the last layer of the chosen model."""
        return MODELS[self.model].width(self.model_settings())

    def phase_sides(self, stored: int) -> list[int]:
        """The image side in pixels of each phase, for images that are stored with side `stored`.

        A scale never gives less than the smallest side of the model.
        """
        least = min(self.smallest_side(), stored)
        return [
            max(least, round(phase.scale * stored)) if phase.scale else int(phase.image_size or 0)
            for phase in self.phases
        ]

    def size_problems(self, stored: int) -> list[str]:
        """The problems with images that are stored with this side, in pixels."""
        smallest = self.smallest_side()
        if stored < smallest:
            return [
                f"model: '{self.model}' with these settings needs images of at least {smallest} "
                f"pixels a side, but dataset.image_size is {stored}"
            ]
        sides = self.phase_sides(stored)
        problems = []
        for place, side in enumerate(sides):
            if side > stored:
                problems.append(
                    f"phases.{place}.image_size: {side} is above dataset.image_size ({stored})"
                )
            elif side < smallest:
                problems.append(
                    f"phases.{place}.image_size: {side} is too small for the model "
                    f"'{self.model}', which needs {smallest}"
                )
        if sides and sides[-1] < stored:
            problems.append(
                f"phases.{len(sides) - 1}: the run would end at {sides[-1]} pixels a side and be "
                f"evaluated at dataset.image_size ({stored}), at which the network never trained. "
                "End with a phase of scale: 1."
            )
        return problems


class ProxySettings(Strict):
    """Training of the proxy, whose run shows how difficult each training image is."""

    training: TrainingSettings = TrainingSettings()
    early: float = Field(
        0.3,
        gt=0,
        le=1,
        description="fraction of the run after which el2n, grand and craig are computed",
    )


Settings = TypeVar("Settings", bound=BaseModel)


def checked(kind: type[Settings], mapping: dict[str, Any], what: str) -> Settings:
    """Check settings from JSON.

    Parameters
    ----------
    kind : type of BaseModel
    mapping : dict
    what : str
        The name of the settings in messages, in the plural.

    Raises
    ------
    PetiteError
        With all problems.
    """
    try:
        return kind.model_validate(mapping)
    except ValidationError as error:
        raise PetiteError(f"{what} are not valid: {problems_of(error)}") from None
