"""The source `textiles`: 2,000 simulated textiles, 250x250 pixels, in three unequal classes.

They are the data of the Python package `conformal-clip-data` 0.1.4 (F. M. Megahed and Y.-J. Chen,
MIT license), read from its wheel, which is a zip. The package is neither installed nor imported.
"""

import zipfile
from pathlib import Path
from typing import ClassVar

from petite.data.addresses import Wheel
from petite.data.sources.archive import DAMAGED, ArchiveSource
from petite.data.sources.base import USUAL_LIMITS, Limits

WHEEL = Wheel(
    "conformal-clip-data==0.1.4",
    "conformal_clip_data-0.1.4-py3-none-any.whl",
    "00144ccc179a887dbea15923be8cf236d0c0f49bf7fb6f7bb288e40b53fb1bcb",
)
CLASSES = {"nominal", "local", "global"}


class TextilesSource(ArchiveSource):
    """The textiles of the `conformal-clip-data` wheel: without a defect, or with one of two kinds.

    A fabric of the class `nominal` has no defect. One of `local` has a small spot of another weave,
    and one of `global` has another weave everywhere.

    References
    ----------
    Megahed and others (2025), Adapting OpenAI's CLIP model for few-shot image inspection in
    manufacturing quality control, arXiv:2501.12596.
    Bui and Apley (2020), spc4sts: statistical process control for stochastic textured surfaces in
    R, Journal of Quality Technology 53(3).
    """

    name = "textiles"
    images_per_class = 667
    path_is: ClassVar[str | None] = f"the wheel of {WHEEL.requirement}"
    wheel = WHEEL
    takes_address = False
    takes_labels = False
    preset = "textiles"
    inside = "conformal_clip_data/data/textile_images/simulated"

    def __init__(self, path: Path | None, limits: Limits = USUAL_LIMITS) -> None:
        """Open the wheel and read its directory.

        Raises
        ------
        PetiteError
            When it does not hold the images.
        """
        assert path is not None
        try:
            zipfile.ZipFile(path).close()
        except DAMAGED as error:
            raise WHEEL.refused(path, error) from error
        super().__init__(path, limits)
        if self.layout is None or set(self.layout.folders) != CLASSES:
            self.close()
            raise WHEEL.refused(path, f"no images in the folders {', '.join(sorted(CLASSES))}")
