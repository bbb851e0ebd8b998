"""What tests of the backbones need: the features that the real weights must give."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from lite0_reference import Reference
from PIL import Image


@pytest.fixture(scope="session")
def reference(photo_archive: Path, lite0_reference_file: Path) -> Reference:
    with np.load(lite0_reference_file) as arrays, zipfile.ZipFile(photo_archive) as photos:
        names = [str(name) for name in arrays["names"]]
        images = [
            Image.open(io.BytesIO(photos.read(name)))
            .convert("RGB")
            .resize((224, 224), Image.Resampling.BICUBIC)
            for name in names
        ]
        return Reference(names, np.stack(images), arrays["features"], arrays["top1"])
