"""Download files over HTTP(S), and resume interrupted downloads; object stores: see `remote`.

requests handles certificates, proxies, netrc and redirects like other programs. urllib3's Retry
decides how often to retry and how long to wait. This module adds what they lack: resuming an
interrupted download, and checking the file.
"""

import hashlib
import logging
import os
import re
import shutil
import ssl
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

import requests
import urllib3.exceptions
from rich import progress
from rich.console import Console
from urllib3 import Retry

from petite import __version__
from petite.data.addresses import public_url, split_address
from petite.util.errors import PetiteError
from petite.util.files import explain_write_errors, read_json, sha256_of, write_json

logger = logging.getLogger(__name__)

CHUNK = 1 << 18  # bytes
LONGEST_WAIT = 60  # seconds between two attempts
LOG_EVERY = 10.0  # seconds

# Another attempt may succeed after these; after 206 and 416, one for the whole file.
TRANSIENT_STATUS = {206, 408, 416, 425, 429, *range(500, 600)}
ADVICE = {
    401: "the server requires a login; download the file by hand and give its path",
    403: "the server refuses the download; try by hand and give the file's path",
    404: "the file does not exist; check the address",
    410: "the file was removed; look for a new address",
}


class Record(TypedDict):
    """Content of `<destination>.json`: address without secrets, SHA-256 in hex, size in bytes."""

    url: str
    sha256: str
    bytes: int


def download(
    url: str,
    destination: Path,
    sha256: str | None = None,
    *,
    retries: int = 5,
    first_wait: float = 1.0,
    stall_timeout: float = 60.0,
) -> Record:
    """Download a file, and write a record of it to `<destination>.json`.

    Received data is kept in `<destination>.part`. A later attempt or call resumes there if the
    server supports it and its file is unchanged.

    Parameters
    ----------
    url : str
        Address that begins with http:// or https://.
    destination : Path
        The file to write.
    sha256 : str, optional
        Expected SHA-256, in hex.
    retries : int
        How often to retry. An attempt that gets further than those before it restores all retries.
    first_wait : float
        Seconds before the first retry; each further wait is twice as long.
    stall_timeout : float
        Seconds without data after which an attempt is given up.

    Raises
    ------
    PetiteError
        If the server refuses, the file is incomplete or does not fit on the disk, or its SHA-256
        differs.
    """
    if split_address(url).scheme not in ("http", "https") or not split_address(url).hostname:
        raise PetiteError(
            f"{public_url(url)} cannot be downloaded: its address must begin with http:// or "
            "https://. For a local file, give its path"
        )
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise PetiteError(f"invalid SHA-256 {sha256!r}: it must have 64 hexadecimal digits")
    part = Part(url, destination)
    retry = _Retry(
        retries,
        status_forcelist=TRANSIENT_STATUS,
        backoff_factor=first_wait,
        backoff_max=LONGEST_WAIT,
        retry_after_max=LONGEST_WAIT,
    )
    with explain_write_errors(destination, part.path):
        destination.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, part, retry, stall_timeout)
        return finish(part, destination, url, sha256)


def finish(part: "Part", destination: Path, url: str, sha256: str | None) -> Record:
    """Check the SHA-256 of a received file, and keep it under its final name."""
    found = sha256_of(part.path)
    if sha256 is not None and found != sha256.lower():
        part.remove()
        raise PetiteError(
            f"{public_url(url)}: SHA-256 mismatch: expected {sha256.lower()}, got {found}. "
            "If the file was changed on purpose, put the new SHA-256 (or none) into the "
            "config. Otherwise do not use it"
        )
    record = keep(part.path, destination, public_url(url), found)
    part.remove()
    return record


def keep(arrived: Path, destination: Path, url: str, sha256: str) -> Record:
    """Move a checked file to its final name, and write its record."""
    record = Record(url=url, sha256=sha256, bytes=arrived.stat().st_size)
    arrived.replace(destination)
    write_json(record_path(destination), record)
    logger.info("downloaded %s, %.1f MB, SHA-256 %s", destination, record["bytes"] / 1e6, sha256)
    return record


def record_path(destination: Path) -> Path:
    """The path of a downloaded file's record."""
    return destination.with_name(destination.name + ".json")


class Part:
    """The received part of a file, and what is known about the whole file."""

    def __init__(self, url: str, destination: Path) -> None:
        """Load the state that an earlier call left for the same address."""
        self.path = destination.with_name(destination.name + ".part")
        self._state_path = destination.with_name(destination.name + ".part.json")
        # A digest, because the address may contain secrets.
        self._url_digest = hashlib.sha256(url.encode()).hexdigest()
        # The server's label for this version of the file (an ETag or a date), and its length.
        self.validator: str | None = None
        self.total: int | None = None
        with suppress(OSError, ValueError, KeyError, TypeError):  # there is no usable state
            state = read_json(self._state_path)
            if state["url_digest"] == self._url_digest:
                self.validator, self.total = state["validator"], state["total"]

    def size(self) -> int:
        """How many bytes were received."""
        return self.path.stat().st_size if self.path.exists() else 0

    def resumes_at(self) -> int:
        """The offset at which to resume: 0 unless the server labels the file's version."""
        return self.size() if self.validator else 0

    def is_whole(self) -> bool:
        """Whether the file is known to be complete."""
        return self.total is not None and self.resumes_at() == self.total

    def begin(self, validator: str | None, total: int | None) -> None:
        """Start the file again."""
        self.remove()
        self.path.touch()
        self.validator, self.total = validator, total
        state = {"url_digest": self._url_digest, "validator": validator, "total": total}
        write_json(self._state_path, state)

    def remove(self) -> None:
        """Remove the part and its state."""
        self.validator = self.total = None
        self.path.unlink(missing_ok=True)
        self._state_path.unlink(missing_ok=True)


class _Session(requests.Session):
    """Follows redirects within http and https and from http to https, but not back to http."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        scheme = split_address(resp.url).scheme
        if target and split_address(target).scheme not in ("", "https", scheme):
            raise requests.exceptions.InvalidSchema(
                f"the server redirects from {scheme} to {public_url(target)}", response=resp
            )
        return target


class _Retry(Retry):
    """urllib3's rules, but it waits before the first retry and ignores an invalid Retry-After."""

    def get_backoff_time(self) -> float:
        return min(self.backoff_factor * 2 ** (len(self.history) - 1), self.backoff_max)

    def parse_retry_after(self, retry_after: str) -> float:
        try:
            return super().parse_retry_after(retry_after)
        except urllib3.exceptions.InvalidHeader:
            return 0


def _fetch(url: str, part: Part, retry: Retry, stall_timeout: float) -> None:
    """Retry until the part is complete; an attempt that gets further restores all retries."""
    all_retries, furthest = retry, part.size()
    with _Session() as session:
        session.headers["User-Agent"] = f"petite/{__version__}"
        # The response must be the file itself, byte for byte.
        session.headers["Accept-Encoding"] = "identity"
        _check_certificates(session, url)
        while not part.is_whole():
            try:
                return _attempt(session, url, part, stall_timeout)
            # While a body is read, urllib3's errors are not wrapped by requests.
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                if part.size() > furthest:
                    retry, furthest = all_retries, part.size()
                if advice := _advice(error, retry):
                    raise PetiteError(
                        f"{public_url(url)} cannot be downloaded: {_reason(error)}; {advice}"
                    ) from error
                logger.warning("%s; retrying within a minute", _reason(error))
                retry = retry.increment("GET", error=error)
                retry.sleep(getattr(getattr(error, "response", None), "raw", None))


def _check_certificates(session: requests.Session, url: str) -> None:
    """Check the file or folder of certificates that the user's environment names, if any."""
    bundle = session.merge_environment_settings(url, {}, None, None, None)["verify"]
    if split_address(url).scheme != "https" or not isinstance(bundle, str | os.PathLike):
        return
    path = Path(bundle)
    try:
        if not path.is_dir():
            ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one too
        raise PetiteError(
            f"{public_url(url)} cannot be downloaded: the certificates in '{path}' cannot be read "
            f"({error.strerror or error}); correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, which "
            "names them, or unset it"
        ) from error


def _advice(error: Exception, retry: Retry) -> str | None:
    """What the user can do if retrying cannot help or no retry is left; else None."""
    response = getattr(error, "response", None)
    if response is not None and not retry.is_retry("GET", response.status_code):
        return ADVICE.get(response.status_code, "open the address in a browser to see why")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "if your network uses its own certificate, set REQUESTS_CA_BUNDLE to its file"
    if isinstance(error, ValueError):  # requests' errors for an invalid address
        return "check the address"
    if not retry.total:
        return "run again later; received data is kept if the server can resume downloads"
    return None


def _reason(error: Exception) -> str:
    """The innermost of a chain of errors: the outer ones contain the address and its secrets."""
    chain = (getattr(error, "reason", None), *error.args)
    inner = next((cause for cause in chain if isinstance(cause, Exception)), None)
    return str(error) if inner is None else _reason(inner)


def _attempt(session: requests.Session, url: str, part: Part, stall_timeout: float) -> None:
    """Request the file, or the rest of it, and receive it."""
    offset = part.resumes_at()
    headers = {}
    if part.validator and offset:
        headers = {"Range": f"bytes={offset}-", "If-Range": part.validator}
    with session.get(url, headers=headers, stream=True, timeout=stall_timeout) as response:
        if response.status_code == 200:
            part.begin(_validator(response), response.raw.length_remaining)
        elif response.status_code == 206 and _continues(response, part):
            logger.info("resuming at %.1f MB", offset / 1e6)
        else:
            if response.status_code in (206, 416):  # the file has changed
                part.remove()
            raise requests.HTTPError(
                f"the server returned {response.status_code} {response.reason}", response=response
            )
        check_space(part, url)
        _receive(response, part)


def _continues(response: requests.Response, part: Part) -> bool:
    """Whether the response continues the part, from the same file."""
    header = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", header)
    return (
        match is not None
        and int(match[1]) == part.resumes_at()
        and match[3] in ("*", str(part.total))
        and response.raw.length_remaining in (None, int(match[2]) - int(match[1]) + 1)
        and _validator(response) in (None, part.validator)
    )


def _validator(response: requests.Response) -> str | None:
    """The server's label for this version of the file, if it is reliable."""
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):  # a weak one may be that of other bytes too
        return etag
    return response.headers.get("Last-Modified")


def check_space(part: Part, url: str) -> None:
    missing = (part.total or 0) - part.size()
    free = shutil.disk_usage(part.path.parent).free
    if missing > free:
        raise PetiteError(
            f"{public_url(url)} does not fit into {part.path.parent}: {missing / 1e6:.0f} MB are "
            f"needed and {free / 1e6:.0f} MB are free. Make room, or put results/ elsewhere"
        )


def _receive(response: requests.Response, part: Part) -> None:
    """Append the response's body to the part, which must then be complete."""
    # read1 returns what is there, so nothing is lost in a buffer if the connection breaks.
    append(part, iter(lambda: response.raw.read1(CHUNK), b""))
    size = part.size()
    if part.total is None:
        logger.warning("the server gave no length, so an incomplete file would not be noticed")
    elif size != part.total:
        if size > part.total:
            part.remove()
        raise requests.HTTPError(f"received {size} of {part.total} bytes")


def append(part: Part, chunks: Iterable[bytes]) -> None:
    """Append to a part what is received, with a progress bar, or lines in a log."""
    columns = (
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    bar = progress.Progress(
        progress.BarColumn(),
        *columns,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    bar.add_task("", total=part.total, completed=part.size())
    (task,) = bar.tasks
    logged = time.monotonic()
    with bar, part.path.open("ab") as file:
        for chunk in chunks:
            file.write(chunk)
            bar.update(task.id, completed=file.tell())
            if bar.disable and time.monotonic() - logged >= LOG_EVERY:
                logged = time.monotonic()
                logger.info("%s", ", ".join(str(column.render(task)) for column in columns))
