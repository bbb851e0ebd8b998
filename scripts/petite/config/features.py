"""The section `features`: the feature space in which methods compare images."""

from pydantic import Field, model_validator

from petite.config.values import SPACE_NAMES, Seed, SpaceName, UserPath, check_no_wildcard
from petite.features.registry import SPACES
from petite.util.validation import Strict


class FeatureSettings(Strict):
    """The feature space in which methods compare images; a method may set its own."""

    space: SpaceName = Field("pixels", description=", ".join(SPACE_NAMES))
    path: UserPath | None = Field(
        None, description="own: .npy or .parquet file with one row per image"
    )
    dimensions: int = Field(
        64, ge=2, le=4096, description="number of features of pixels and random_conv"
    )
    seed: Seed = Field(0, description="seed of random_conv and of principal components")

    @model_validator(mode="after")
    def _file_is_named(self) -> "FeatureSettings":
        key = SPACES[self.space].file
        if key and not getattr(self, key):
            raise ValueError(f"{key}: the space '{self.space}' needs the path of your matrix")
        if self.path:
            check_no_wildcard(self.path)
        return self
