"""What every backbone offers: a pretrained network that turns images into embeddings."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petite.networks.backbones.inference import compiled
from petite.util.errors import PetiteError

if TYPE_CHECKING:
    import keras

# From images, uint8 (n, side, side, 3), to embeddings, float32 (n, dimensions).
Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
# The same, checked; it takes the images' ids as well.
Embedder = Callable[[NDArray[np.uint8], Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class Scaling:
    """What a network takes in place of pixel values from 0 to 255: value * scale + offset.

    Each is one number, or one for each channel.
    """

    scale: float | tuple[float, ...] = 1.0
    offset: float | tuple[float, ...] = 0.0

    def __call__(self, images: Any) -> Any:
        """Scale float32 images, an array or a symbolic tensor of Keras (n, height, width, 3)."""
        return images * np.array(self.scale, np.float32) + np.array(self.offset, np.float32)


@dataclass(frozen=True)
class Backbone(ABC):
    """A pretrained network without its classifier.

    Attributes
    ----------
    name : str
        As the user gives it.
    image_size : int
        Side of the RGB images that it takes, in pixels.
    dimensions : int
        Length of an embedding.
    digest : str
        SHA-256 of the weights, as 64 hexadecimal digits.
    preprocess : callable
        From values of 0 to 255 to those that the network takes, float32 (n, height, width, 3).
    weight_bytes : int
        Bytes of the weights, without a classifier if it is not used; of a file, its size.
    """

    name: str
    image_size: int
    dimensions: int
    digest: str
    preprocess: Callable[[Any], Any]
    weight_bytes: int

    @abstractmethod
    def build(self, dtype: str = "float32") -> "keras.Model":
        """A model to train, from images of values 0 to 255 to embeddings, float32.

        `dtype` is Keras's dtype policy, "float32" or "mixed_bfloat16". A network that was read from
        a file computes as the file says. Raises PetiteError for a network that Keras cannot train,
        and for weights that are NaN or infinite.
        """

    @abstractmethod
    def forward(self, dtype: str = "float32") -> Forward:
        """A function that computes embeddings as fast as the machine can; see `build`."""

    def embedder(self, dtype: str = "float32") -> Embedder:
        """A function that embeds images and checks the result; made once for many calls.

        It takes images, uint8 (n, image_size, image_size, 3), and their n ids for the error
        message, and returns float32 (n, dimensions). It raises PetiteError where an embedding
        holds NaN or infinity.
        """
        forward = self.forward(dtype)

        def embed(images: NDArray[np.uint8], image_ids: Sequence[str]) -> NDArray[np.float32]:
            embeddings = forward(images)
            bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
            if len(bad):
                raise PetiteError(
                    f"backbone '{self.name}' gives NaN or infinite embeddings for {len(bad)} of "
                    f"{len(images)} images, first for '{image_ids[bad[0]]}': use another backbone, "
                    "or correct its weights"
                )
            return embeddings

        return embed

    def cannot_compute(self, error: Exception) -> PetiteError:
        """What to raise where the network fails on images of `image_size`."""
        size = f"{self.image_size}x{self.image_size}"
        return PetiteError(
            f"backbone '{self.name}' cannot compute images of {size} pixels ({in_short(error)}): "
            "set backbone.image_size to a size that it takes, or use another backbone"
        )


@dataclass(frozen=True)
class KerasBackbone(Backbone):
    """A network of Keras layers.

    `network` gives it from a dtype policy, from preprocessed images to embeddings;
    `inference_network` gives one of the same values that is faster and need not be trainable.
    """

    network: Callable[[str], "keras.Model"]
    inference_network: Callable[[str], "keras.Model"] | None = None

    def build(self, dtype: str = "float32") -> "keras.Model":
        network = self.network(dtype)
        self._check_weights(network)
        return self._with_preprocessing(network)

    def forward(self, dtype: str = "float32") -> Forward:
        network = (self.inference_network or self.network)(dtype)
        self._check_weights(network)
        return compiled(self._with_preprocessing(network))

    def _check_weights(self, network: "keras.Model") -> None:
        """Raise PetiteError for weights that are NaN: an activation may turn them into numbers."""
        from keras import ops

        for weight in network.weights:
            if not np.isfinite(ops.convert_to_numpy(weight)).all():
                raise PetiteError(
                    f"backbone '{self.name}' holds weights that are NaN or infinite, in "
                    f"'{weight.path}': use another backbone, or correct its weights"
                )

    def _with_preprocessing(self, network: "keras.Model") -> "keras.Model":
        import keras

        images = keras.Input((self.image_size, self.image_size, 3), name="images")
        try:
            outputs = network(self.preprocess(images))
        except Exception as error:  # each layer raises what it likes
            raise self.cannot_compute(error) from error
        # An output may have a name.
        (embedding,) = keras.tree.flatten(outputs)
        return keras.Model(images, embedding, name=network.name)


def in_short(error: Exception) -> str:
    """The beginning of an error's message, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
