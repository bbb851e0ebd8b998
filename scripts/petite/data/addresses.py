"""Addresses of downloads: file names for them, and what of them may be shown."""

import hashlib
import re
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from petite.util.errors import PetiteError

# The names of query parameters whose values are not for records and logs.
SECRET = re.compile(r"(?i)([?&][^=&]*(?:auth|cred|key|pass|pwd|secret|sig|token)[^=&]*=)[^&]*")


def archive_name(url: str) -> str:
    """A file name for what `url` leads to, in safe characters; no two addresses share one."""
    parts = split_address(url)
    base = re.sub(r"[^A-Za-z0-9._-]+", "_", unquote(parts.path).rsplit("/", 1)[-1]).lstrip(".-")
    suffix = re.search(r"(\.tar)?\.[A-Za-z0-9]{1,8}$|$", base)[0]  # type: ignore[index]
    stem = base.removesuffix(suffix)[:80] or "archive"
    digest = hashlib.sha256(urlunsplit(parts).encode()).hexdigest()[:8]
    return f"{stem}-{digest}{suffix}"


def public_url(url: str) -> str:
    """The address without a user's name and password, and without secrets in its query."""
    return SECRET.sub(r"\1...", urlunsplit(split_address(url)))


def split_address(url: str) -> SplitResult:
    """The address in its parts, without a user's name and password, and without the fragment."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise PetiteError(f"{url!r} is no address: {error}") from error
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
