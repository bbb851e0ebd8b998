"""Fine-tune a pretrained network on a subset: first a new last layer, then all layers at a low
learning rate."""

from typing import TYPE_CHECKING, Any

from petite.data.views import Images, size_of
from petite.networks.backbones import Backbone
from petite.networks.backend import dtype_policy
from petite.networks.models import classifier, logits_of
from petite.training.judges import FineTuneSettings
from petite.training.loop import (
    Networks,
    Part,
    Trainer,
    assign,
    compile_for_training,
    values_of,
)
from petite.training.schedule import learning_rates
from petite.training.seeing import SeeingSettings
from petite.training.settings import checked
from petite.util.errors import PetiteError

if TYPE_CHECKING:
    import keras

SCHEDULE = "one_cycle"
WARM_UP = 0.15


class FineTuner(Trainer):
    """Trains a pretrained network on, from the same weights for each run.

    The last layer begins at random weights, which the seed determines. Batch normalization keeps
    its statistics and dropout is off, as in inference: a subset may be much smaller than what the
    network was trained on.

    Parameters
    ----------
    backbone : Backbone
        Made for images of `settings.image_size`.
    image_size : int
        Side of the images, in pixels; they are resized to those of the backbone.
    channels : int
        1 for grayscale, 3 for RGB; the backbone is given RGB.
    classes : list of str
        Names of the classes.
    settings : FineTuneSettings
    threads : int
        CPU threads to use. Keras must be loaded with them.
    seeing
        See `petite.training.loop.Trainer`.

    Raises
    ------
    PetiteError
        The network takes images of one other size, or cannot be trained.
    """

    settings: FineTuneSettings

    def __init__(
        self,
        backbone: Backbone,
        image_size: int,
        channels: int,
        classes: list[str],
        settings: FineTuneSettings,
        threads: int = 1,
        seeing: SeeingSettings | None = None,
    ) -> None:
        check_size(backbone, settings)
        super().__init__(classes, settings, threads, seeing)
        self._backbone = backbone
        self._network = backbone.build(dtype_policy(settings.precision))
        self._model = with_classifier(self._network, image_size, channels, len(classes))
        logits_model = logits_of(self._model)
        # Each is compiled for the weights that can be trained at that time.
        self._network.trainable = False
        self._head_model = self._compiled(logits_model)
        self._network.trainable = True
        self._whole_model = self._compiled(logits_model)
        self._variables = [
            *self._model.variables,
            *self._head_model.optimizer.variables,
            *self._whole_model.optimizer.variables,
        ]
        self._at_first = values_of(self._variables)

    @property
    def name(self) -> str:
        return self._backbone.name

    @property
    def budget(self) -> str:
        return self.settings.budget

    @property
    def pretrained_bytes(self) -> int | None:
        return self._backbone.weight_bytes

    def bytes_of(self, images: Images) -> int:
        return size_of(images)

    def _compiled(self, logits_model: "keras.Model") -> "keras.Model":
        model = _in_inference(logits_model)
        compile_for_training(model, self.settings, len(self.classes), with_losses=self.needs_losses)
        return model

    def _parts(self, images: Images, rows: int) -> list[Part]:
        def part(model: "keras.Model", steps: int, setting: str, whole: bool) -> Part:
            highest: float = getattr(self.settings, setting)

            def begin() -> None:
                self._network.trainable = whole

            rates = learning_rates(SCHEDULE, steps, highest, WARM_UP)
            return Part(model, images, rates, f"judges.fine_tune.{setting}", highest, begin)

        settings = self.settings
        return [
            part(self._head_model, settings.head_steps, "head_learning_rate", whole=False),
            part(self._whole_model, settings.steps, "learning_rate", whole=True),
        ]

    def _start(self, seed: int) -> Networks:
        self._keras.utils.set_random_seed(seed)
        assign(self._variables, self._at_first)
        kernel = self._model.get_layer("logits").kernel
        kernel.assign(self._keras.initializers.GlorotUniform(seed)(kernel.shape))
        return Networks(self._model, self._whole_model)


def check_size(backbone: Backbone, settings: FineTuneSettings) -> None:
    """Refuse a network for images of another size.

    Parameters
    ----------
    backbone : Backbone
    settings : FineTuneSettings

    Raises
    ------
    PetiteError
        The network takes images of one other size.
    """
    side = settings.image_size
    if backbone.image_size != side:
        raise PetiteError(
            f"judges.fine_tune.image_size is {side}, but backbone '{backbone.name}' takes images "
            f"of {backbone.image_size} pixels alone: set {backbone.image_size}"
        )


def check_settings(mapping: dict[str, Any]) -> FineTuneSettings:
    """Check the settings from JSON; raises PetiteError with all problems."""
    return checked(FineTuneSettings, mapping, "the settings of fine_tune")


def with_classifier(
    network: "keras.Model", image_size: int, channels: int, classes: int
) -> "keras.Model":
    """A model from the store's images, with values from 0 to 255, to probabilities."""
    import keras
    from keras import layers

    images = keras.Input((image_size, image_size, channels), name="images")
    x, side = images, network.input_shape[1]
    if image_size != side:
        x = layers.Resizing(side, side, antialias=image_size > side, dtype="float32")(x)
    if channels == 1:
        x = layers.Concatenate(dtype="float32")([x, x, x])
    return classifier(images, network(x), classes, network.name)


def _in_inference(model: "keras.Model") -> "keras.Model":
    """A model that gives the same, and computes as in inference when it is trained.

    `network(x, training=False)` in a functional model does not, since Keras 3 replaces it by the
    outer model's `training` (github.com/keras-team/keras/issues/20285).
    """
    import keras

    class InInference(keras.Model):
        def __init__(self) -> None:
            super().__init__(name=model.name)
            self.model = model

        def call(self, images: Any) -> Any:
            return self.model(images, training=False)

    return InInference()
