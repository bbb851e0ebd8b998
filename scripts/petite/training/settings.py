"""What a user can set about training, checked before anything is trained."""

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from petite.networks.models import MODELS
from petite.util.errors import PetiteError
from petite.util.validation import Strict


class Budget(Strict):
    """How long a model trains: in steps (the same for every subset) or in epochs of its subset."""

    steps: int | None = Field(None, ge=1, le=10**9, description="training steps; null: use epochs")
    epochs: float | None = Field(None, gt=0, description="passes over the subset; null: use steps")

    @model_validator(mode="after")
    def _exactly_one(self) -> "Budget":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("budget: give either steps or epochs, and null for the other")
        return self

    def total_steps(self, rows: int, batch_size: int) -> int:
        """Steps for a subset of `rows` rows; epochs count images seen, rounded up to a batch."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return max(1, -int(-self.epochs * rows // batch_size))

    def __str__(self) -> str:
        return f"{self.steps} steps" if self.steps is not None else f"{self.epochs:g} epochs"


class CompactSettings(Strict):
    """The shape of the model `compact`."""

    widths: list[int] = Field(
        [16, 24, 48, 96],
        min_length=2,
        description="number of filters of the stem and of each stage",
    )
    halvings: list[int] = Field(
        [0, 1, 1],
        description="1: the stage starts by halving the resolution; 0: it keeps the resolution",
    )
    residual_blocks: list[int] = Field(
        [0, 0, 0], description="number of residual blocks in each stage"
    )
    residual_convolutions: int = Field(
        1, ge=1, le=3, description="number of 3x3 convolutions in a residual block"
    )
    stem_kernel: int = Field(
        3, ge=1, le=16, description="kernel size of the first convolution, in pixels"
    )
    stem_stride: int = Field(
        2, ge=1, le=8, description="stride of the first convolution, in pixels"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout rate before the last layer")

    @model_validator(mode="after")
    def _one_value_a_stage(self) -> "CompactSettings":
        stages = len(self.widths) - 1
        for name in ("halvings", "residual_blocks"):
            values = getattr(self, name)
            if len(values) != stages:
                raise ValueError(
                    f"{name}: {len(values)} values for {stages} stages; "
                    "give one for each of widths but the first"
                )
        if min(self.widths) < 1 or min(self.residual_blocks) < 0:
            raise ValueError("widths must be 1 or more, residual_blocks 0 or more")
        if not set(self.halvings) <= {0, 1}:
            raise ValueError("halvings: use 0 and 1")
        return self


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


class TrainingSettings(Strict):
    """How the models are trained; the defaults suit small grayscale images."""

    model: str = Field("compact", description=", ".join(MODELS))
    compact: CompactSettings = CompactSettings()
    batch_norm_momentum: float = Field(
        0.9, gt=0, lt=1, description="0.9 suits hundreds of steps; 0.99 needs thousands"
    )
    backend: Literal["tensorflow", "jax", "torch"] = "tensorflow"
    budget: Budget = Budget(steps=200)
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "float32",
        description="bfloat16: activations in 16 bits, weights in 32; auto: bfloat16 where the "
        "processor computes in it",
    )
    batch_size: int = Field(64, ge=2, le=65_536)
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
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    flips: Literal["none", "random", "alternating"] = Field(
        "random", description="horizontal flips; alternating: in every second pass over an image"
    )
    crop_padding: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="maximum random shift, as a fraction of the side; edges are mirrored",
    )
    phases: list[Phase] = Field(
        [], description="progressive resizing: phases in order, shares sum to 1; []: full size"
    )
    test_time_flip: bool = Field(
        True, description="average the logits of an image and its mirror image"
    )
    evaluations: int = Field(
        10, ge=1, description="number of points on the learning curves of a run"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainingSettings":
        if self.model not in MODELS:
            raise ValueError(f"model: '{self.model}' is unknown; there are {', '.join(MODELS)}")
        if self.phases and abs(sum(phase.share for phase in self.phases) - 1) > 1e-6:
            raise ValueError("phases: the shares must add up to 1")
        if self.phases and not MODELS[self.model].any_size:
            raise ValueError(f"phases: '{self.model}' takes one image size only; use []")
        return self

    def model_settings(self) -> dict[str, Any]:
        """The settings of the chosen model's own group, if it has one."""
        group = getattr(self, self.model, None)
        return {} if group is None else group.model_dump()

    def smallest_side(self) -> int:
        """The least side in pixels of images for the chosen model."""
        return MODELS[self.model].smallest_side(**self.model_settings())

    def phase_sides(self, stored: int) -> list[int]:
        """The side in pixels of each phase's images, for images that are stored with `stored`.

        A scale gives no less than the model can take.
        """
        least = min(self.smallest_side(), stored)
        return [
            max(least, round(phase.scale * stored)) if phase.scale else int(phase.image_size or 0)
            for phase in self.phases
        ]

    def size_problems(self, stored: int) -> list[str]:
        """What does not fit images that are stored with this side, in pixels."""
        smallest = self.smallest_side()
        if stored < smallest:
            return [
                f"model: '{self.model}' with these settings needs images of {smallest} pixels a "
                f"side, and dataset.image_size is {stored}"
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
                f"judged at dataset.image_size ({stored}), at which the network never trained: end "
                "with a phase of scale: 1"
            )
        return problems


class ProxySettings(Strict):
    """How the proxy is trained whose run tells how hard each training image is."""

    training: TrainingSettings = TrainingSettings()
    early: float = Field(
        0.3,
        gt=0,
        le=1,
        description="fraction of the run after which el2n, grand and craig are computed",
    )


Settings = TypeVar("Settings", bound=BaseModel)


def checked(kind: type[Settings], mapping: dict[str, Any], what: str) -> Settings:
    """Settings of a kind from JSON; raises PetiteError with everything that is wrong in them.

    what: how the message calls them, in the plural.
    """
    try:
        return kind.model_validate(mapping)
    except ValidationError as error:
        problems = "; ".join(
            ": ".join(filter(None, [".".join(map(str, item["loc"])), item["msg"]]))
            for item in error.errors()
        )
        raise PetiteError(f"{what} cannot be used: {problems}") from None
