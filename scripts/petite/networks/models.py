"""The models, by name. Keras is imported when a model is built, not before.

Every model takes raw images, values 0 to 255, scales them itself, and ends in a probability for
each class. For two classes it has one logit, of the second. A new model is one function and one
line in MODELS.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from petite.util.errors import PetiteError

if TYPE_CHECKING:
    import keras


def build(
    name: str,
    image_size: int,
    channels: int,
    classes: int,
    batch_norm_momentum: float,
    **settings: Any,
) -> "keras.Model":
    """A new, untrained model.

    Args:
        name: a key of MODELS.
        image_size: side of the images, pixels.
        channels: 1 for gray, 3 for RGB.
        classes: number of classes, 2 or more.
        batch_norm_momentum: share of the moving statistics that a step keeps.
        settings: the model's own settings; `compact` takes those of `CompactSettings`.

    Returns:
        A model from images of shape (n, image_size, image_size, channels), any dtype, to
        probabilities, float32 of shape (n, classes).

    Raises PetiteError when the images are too small for the model.
    """
    import keras

    check_image_size(name, image_size, settings)
    family = MODELS[name]
    size = None if family.any_size else image_size
    images = keras.Input((size, size, channels), name="images")
    features = family.features(images, batch_norm_momentum, **settings)
    units = 1 if classes == 2 else classes
    logits = keras.layers.Dense(units, dtype="float32", name="logits")(features)
    of_each_class = _of_both_classes(logits) if classes == 2 else logits
    probabilities = keras.layers.Activation("softmax", dtype="float32", name="probabilities")
    return keras.Model(images, probabilities(of_each_class), name=name)


def _of_both_classes(logit: Any) -> Any:
    """The two logits whose softmax has the one logit's sigmoid as its second probability.

    So `argmax` finds the class, as for more classes.
    """
    from keras import layers

    halves = [layers.Rescaling(scale, dtype="float32")(logit) for scale in (-0.5, 0.5)]
    return layers.Concatenate(dtype="float32")(halves)


def check_image_size(name: str, image_size: int, settings: dict[str, Any]) -> None:
    """Raise PetiteError when the model would halve images of this side to nothing."""
    smallest = MODELS[name].smallest_side(**settings)
    if image_size < smallest:
        raise PetiteError(
            f"images of {image_size}x{image_size} pixels are too small for the model '{name}', "
            f"which needs {smallest}x{smallest}: raise dataset.image_size or set another "
            "training.model"
        )


def logits_of(model: "keras.Model") -> "keras.Model":
    """The same model, sharing its weights, up to its logits: (n, 1) for two classes.

    It is what trains and what is judged: losses of logits are exact where those of probabilities
    must be clipped.
    """
    import keras

    return keras.Model(model.input, model.get_layer("logits").output, name=model.name)


PAPER_DENSE = 512


def paper_cnn(images: Any, batch_norm_momentum: float) -> Any:
    """The paper's CNN up to its last layer (Sal, Erdağ, Biçici; images scaled to 0..1).

    Six blocks of convolution 3x3, batch normalization, ReLU and 2x2 max pooling; then a dense
    layer of 512 with batch normalization, ReLU and dropout of one half. Needs 64 pixels or more.
    """
    from keras import layers

    x = layers.Rescaling(1 / 255)(images)
    for filters in (64, 128, 256, 256, 128, 64):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.BatchNormalization(momentum=batch_norm_momentum)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(PAPER_DENSE)(x)
    x = layers.BatchNormalization(momentum=batch_norm_momentum)(x)
    x = layers.ReLU()(x)
    return layers.Dropout(0.5)(x)


def compact(
    images: Any,
    batch_norm_momentum: float,
    widths: Sequence[int],
    halvings: Sequence[int],
    residual_blocks: Sequence[int],
    residual_convolutions: int,
    stem_kernel: int,
    stem_stride: int,
    dropout: float,
) -> Any:
    """A small residual CNN whose strided stem keeps full-size maps, slow on a CPU, out of it.

    The stem, then stages of [2x2 max pooling], one convolution 3x3 and residual blocks, then the
    mean over the map. Each convolution is followed by batch normalization and ReLU; a residual
    block begins as the identity (its last scale is zero).
    """
    from keras import layers

    def convolve(x: Any, filters: int, kernel: int = 3, stride: int = 1, last: bool = False) -> Any:
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
    x = convolve(x, widths[0], stem_kernel, stem_stride)
    for filters, halve, blocks in zip(widths[1:], halvings, residual_blocks, strict=True):
        if halve:
            x = layers.MaxPooling2D(2)(x)
        x = convolve(x, filters)
        for _ in range(blocks):
            branch = x
            for number in range(residual_convolutions):
                branch = convolve(branch, filters, last=number == residual_convolutions - 1)
            x = layers.ReLU()(layers.Add()([x, branch]))
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(dropout)(x) if dropout else x


@dataclass(frozen=True)
class Family:
    """A kind of model.

    `features` maps the input and the settings to what the last layer takes; `smallest_side` gives
    the least side in pixels from the settings, and `width` how many features the last layer takes;
    `any_size` says that one model takes images of different sizes.
    """

    features: Callable[..., Any]
    smallest_side: Callable[..., int]
    width: Callable[..., int]
    any_size: bool


MODELS: dict[str, Family] = {
    "compact": Family(
        compact,
        smallest_side=lambda **settings: settings["stem_stride"] * 2 ** sum(settings["halvings"]),
        width=lambda **settings: settings["widths"][-1],
        any_size=True,
    ),
    "paper_cnn": Family(
        paper_cnn, smallest_side=lambda: 64, width=lambda: PAPER_DENSE, any_size=False
    ),
}
