"""The section `proxy`: the cheap training that scores how hard each image is."""

from pydantic import Field

from petite.features.io import ProxyOf
from petite.util.validation import Strict


class ProxySection(Strict):
    """The proxy that scores images; the other settings of a network are those of training."""

    of: ProxyOf = Field(
        "network",
        description="network: the model of training, on the stored images; embeddings: a linear "
        "classifier on those of the backbone, in seconds",
    )
    steps: int = Field(200, ge=2, description="training steps, on all training images")
    evaluations: int = Field(
        10, ge=2, description="number of evaluations of all images during training"
    )
    early: float = Field(
        0.3,
        gt=0,
        le=1,
        description="fraction of the run after which el2n, grand and craig are computed",
    )
