"""What the tests need from outside: the real photographs, where they are at hand."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No test asserts a time: on a busy machine an example may take long.
settings.register_profile("petite", deadline=None)
settings.load_profile("petite")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def photo_archive() -> Path:
    """The zip of 15,000 real cat and dog photographs with 45 awkward files."""
    default = REPOSITORY.parent / "shared" / "data" / "petimages-15k.zip"
    path = Path(os.environ.get("PETITE_PHOTOS", default))
    if not path.is_file():
        pytest.skip(f"no photographs at {path}: set PETITE_PHOTOS to petimages-15k.zip")
    return path
