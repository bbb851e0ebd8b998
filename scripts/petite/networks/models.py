"""The models, by name. Keras is imported when a model is built, not before.

Every model takes raw images with values from 0 to 255, scales them itself, and ends in a
probability for each class. For two classes it has one logit, that of the second class. A new model
is an entry in `MODELS` with a function that builds it and, if it has settings, their class. The
settings in config.yaml, their validation and their schema follow from the entry.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field, create_model, model_validator

from petite.util.errors import PetiteError
from petite.util.validation import Strict

if TYPE_CHECKING:
    import keras

PAPER_FILTERS = (64, 128, 256, 256, 128, 64)
PAPER_DENSE = 512


def build(
    name: str,
    image_size: int,
    channels: int,
    classes: int,
    batch_norm_momentum: float,
    settings: "ModelSettings | None" = None,
) -> "keras.Model":
    """Build a new, untrained model.

    Parameters
    ----------
    name : str
        A key of `MODELS`.
    image_size : int
        Side of the images, pixels.
    channels : int
        1 for grayscale, 3 for RGB.
    classes : int
        Number of classes, 2 or more.
    batch_norm_momentum : float
        Share of the moving statistics that a step keeps.
    settings : ModelSettings, optional
        The model's own settings; by default those of its class.

    Returns
    -------
    keras.Model
        From images of shape (n, image_size, image_size, channels), any dtype, to probabilities,
        float32 of shape (n, classes).

    Raises
    ------
    PetiteError
        When the images are too small for the model.
    """
    import keras

    entry = MODELS[name]
    settings = entry.settings() if settings is None else settings
    check_image_size(name, image_size, settings)
    side = None if entry.any_size else image_size
    images = keras.Input((side, side, channels), name="images")
    features = entry.features(images, batch_norm_momentum, settings)
    return classifier(images, features, classes, name)


def classifier(
    images: "keras.KerasTensor", features: "keras.KerasTensor", classes: int, name: str
) -> "keras.Model":
    """Add the last layer, `logits`, and the probabilities to a network of features.

    Parameters
    ----------
    images, features : tensor
        The network's input and output.
    classes : int
        Number of classes, 2 or more.
    name : str
        The model's name.

    Returns
    -------
    keras.Model
        See `build`.
    """
    import keras

    units = 1 if classes == 2 else classes
    logits = keras.layers.Dense(units, dtype="float32", name="logits")(features)
    of_each_class = _of_both_classes(logits) if classes == 2 else logits
    probabilities = keras.layers.Activation("softmax", dtype="float32", name="probabilities")
    return keras.Model(images, probabilities(of_each_class), name=name)


def logits_of(model: "keras.Model") -> "keras.Model":
    """Return the model up to its logits, with the same weights.

    It is used for training and evaluation: losses of logits are exact, while those of probabilities
    must be clipped.

    Parameters
    ----------
    model : keras.Model
        Made by `build` or `classifier`.

    Returns
    -------
    keras.Model
        Its output has shape (n, 1) for two classes, otherwise (n, classes).
    """
    import keras

    return keras.Model(model.input, model.get_layer("logits").output, name=model.name)


def check_image_size(name: str, image_size: int, settings: "ModelSettings") -> None:
    """Refuse images that are too small for the model.

    Parameters
    ----------
    name : str
        A key of `MODELS`.
    image_size : int
        Side of the images, pixels.
    settings : ModelSettings
        The model's own settings.

    Raises
    ------
    PetiteError
        When the model would halve the images to nothing.
    """
    smallest = MODELS[name].smallest_side(settings)
    if image_size < smallest:
        raise PetiteError(
            f"images of {image_size}x{image_size} pixels are too small for the model '{name}', "
            f"which needs {smallest}x{smallest}: raise dataset.image_size or set another "
            "training.model"
        )


def _of_both_classes(logit: "keras.KerasTensor") -> "keras.KerasTensor":
    """The two logits whose softmax has the one logit's sigmoid as its second probability.

    So `argmax` gives the class, as it does for more classes.
    """
    from keras import layers

    halves = [layers.Rescaling(scale, dtype="float32")(logit) for scale in (-0.5, 0.5)]
    return layers.Concatenate(dtype="float32")(halves)


class ModelSettings(Strict):
    """Settings of a model: every field has a default and a description."""


class Convolution(NamedTuple):
    """A convolution, or a dense layer: side of the kernel, channels, side of the output."""

    kernel: int
    inputs: int
    outputs: int
    side: int

    @property
    def parameters(self) -> int:
        return self.kernel**2 * self.inputs * self.outputs

    @property
    def products(self) -> int:
        """Multiply-adds for one image."""
        return self.parameters * self.side**2


@dataclass(frozen=True)
class Model:
    """A kind of model.

    Attributes
    ----------
    name : str
        As in config.yaml.
    features : callable
        Builds the layers: takes the input, the momentum of batch normalization and the model's
        settings, and returns the input of the last layer.
    smallest_side : callable
        The smallest side of images in pixels, as a function of the settings.
    width : callable
        The number of features before the last layer, as a function of the settings.
    any_size : bool
        Whether one model takes images of different sizes.
    settings : type of ModelSettings
        The class of its settings.
    convolutions : callable, optional
        The layers that take the time, as a function of the settings, the side of the images and
        their channels. A run that was not timed is forecast from them.
    """

    name: str
    features: Callable[["keras.KerasTensor", float, Any], "keras.KerasTensor"]
    smallest_side: Callable[[Any], int]
    width: Callable[[Any], int]
    any_size: bool
    settings: type[ModelSettings] = ModelSettings
    convolutions: Callable[[Any, int, int], list[Convolution]] | None = None


class CompactSettings(ModelSettings):
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
                    f"{name}: must have {stages} values, one for each of widths but the first, got "
                    f"{len(values)}"
                )
        if min(self.widths) < 1 or min(self.residual_blocks) < 0:
            raise ValueError(
                "widths must be 1 or more and residual_blocks 0 or more, got "
                f"{self.widths} and {self.residual_blocks}"
            )
        if not set(self.halvings) <= {0, 1}:
            raise ValueError(f"halvings: must be 0 or 1, got {self.halvings}")
        return self


def compact(
    images: "keras.KerasTensor", batch_norm_momentum: float, settings: CompactSettings
) -> "keras.KerasTensor":
    """Build a small residual CNN that is fast on a CPU, because its stem is strided.

    After the stem come stages of 2x2 max pooling (optional), one 3x3 convolution and residual
    blocks, and then global average pooling. Batch normalization and ReLU follow each convolution.
    A residual block starts as the identity, since its last scale is zero.

    Parameters
    ----------
    images : tensor, shape (n, height, width, channels)
    batch_norm_momentum : float
    settings : CompactSettings

    Returns
    -------
    tensor, shape (n, widths[-1])
    """
    from keras import layers

    def convolve(
        x: "keras.KerasTensor", filters: int, kernel: int = 3, stride: int = 1, last: bool = False
    ) -> "keras.KerasTensor":
        x = layers.Conv2D(
            filters,
            kernel,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
        )(x)
        scale = "zeros" if last else "ones"
        x = layers.BatchNormalization(
            momentum=batch_norm_momentum, epsilon=1e-5, gamma_initializer=scale
        )(x)
        return x if last else layers.ReLU()(x)

    x = layers.Rescaling(1 / 64, offset=-2)(images)
    x = convolve(x, settings.widths[0], settings.stem_kernel, settings.stem_stride)
    stages = zip(settings.widths[1:], settings.halvings, settings.residual_blocks, strict=True)
    for filters, halve, blocks in stages:
        if halve:
            x = layers.MaxPooling2D(2)(x)
        x = convolve(x, filters)
        for _ in range(blocks):
            branch = x
            for number in range(settings.residual_convolutions):
                last = number == settings.residual_convolutions - 1
                branch = convolve(branch, filters, last=last)
            x = layers.ReLU()(layers.Add()([x, branch]))
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(settings.dropout)(x) if settings.dropout else x


def convolutions_of_compact(
    settings: CompactSettings, side: int, channels: int
) -> list[Convolution]:
    """The convolutions of `compact`, in order."""
    side = -(-side // settings.stem_stride)
    width = settings.widths[0]
    found = [Convolution(settings.stem_kernel, channels, width, side)]
    stages = zip(settings.widths[1:], settings.halvings, settings.residual_blocks, strict=True)
    for filters, halve, blocks in stages:
        side //= 2 if halve else 1
        found.append(Convolution(3, width, filters, side))
        found += [Convolution(3, filters, filters, side)] * blocks * settings.residual_convolutions
        width = filters
    return found


def paper_cnn(
    images: "keras.KerasTensor", batch_norm_momentum: float, settings: ModelSettings
) -> "keras.KerasTensor":
    """Build the paper's CNN (Sal, Erdağ, Biçici) up to its last layer.

    Six blocks of 3x3 convolution, batch normalization, ReLU and 2x2 max pooling, then a dense
    layer of 512 units with batch normalization, ReLU and dropout of 0.5.

    Parameters
    ----------
    images : tensor, shape (n, side, side, channels)
        64 pixels or more.
    batch_norm_momentum : float
    settings : ModelSettings
        Not used.

    Returns
    -------
    tensor, shape (n, 512)
    """
    from keras import layers

    x = layers.Rescaling(1 / 255)(images)
    for filters in PAPER_FILTERS:
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.BatchNormalization(momentum=batch_norm_momentum)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(PAPER_DENSE)(x)
    x = layers.BatchNormalization(momentum=batch_norm_momentum)(x)
    x = layers.ReLU()(x)
    return layers.Dropout(0.5)(x)


def convolutions_of_paper_cnn(
    settings: ModelSettings, side: int, channels: int
) -> list[Convolution]:
    """The convolutions of `paper_cnn` and its dense layer, in order."""
    found, width = [], channels
    for filters in PAPER_FILTERS:
        found.append(Convolution(3, width, filters, side))
        side, width = side // 2, filters
    return [*found, Convolution(1, side**2 * width, PAPER_DENSE, 1)]


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "compact",
            compact,
            smallest_side=lambda settings: settings.stem_stride * 2 ** sum(settings.halvings),
            width=lambda settings: settings.widths[-1],
            any_size=True,
            settings=CompactSettings,
            convolutions=convolutions_of_compact,
        ),
        Model(
            "paper_cnn",
            paper_cnn,
            smallest_side=lambda settings: 64,
            width=lambda settings: PAPER_DENSE,
            any_size=False,
            convolutions=convolutions_of_paper_cnn,
        ),
    )
}


def choice_of(models: Iterable[Model]) -> type[Strict]:
    """Make the class of settings that choose one of some models, by default the first.

    Parameters
    ----------
    models : iterable of Model

    Returns
    -------
    type of Strict
        With the field `model`, and one field named after each model that has settings.
    """
    models = list(models)
    names = ", ".join(model.name for model in models)
    groups: dict[str, Any] = {
        model.name: (model.settings, model.settings())
        for model in models
        if model.settings.model_fields
    }
    name = (str, Field(models[0].name, description=names))
    return create_model("ModelChoice", __base__=Strict, model=name, **groups)
