"""Downloads over HTTP(S) that survive cuts.

requests brings certificates, proxies, netrc and redirects as users know them from other programs;
urllib3's Retry says how often to try again and after what wait. What they lack is here: resuming a
file that broke off, and the checks of what arrived.
"""

import hashlib
import logging
import re
import shutil
import sys
import time
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

# After these another attempt may do better: after 206 and 416 one for the whole file.
TRANSIENT_STATUS = {206, 408, 416, 425, 429, *range(500, 600)}
ADVICE = {
    401: "it asks for a login: download the file by hand and give its path",
    403: "the server does not let it be downloaded: try by hand and give the file's path",
    404: "there is no such file: check the address",
    410: "the file was removed: look for a new address",
}


class Record(TypedDict):
    """What was downloaded: the address without secrets, the SHA-256 in hex, the size in bytes."""

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
    """Download `url` to `destination`, and write what it was to `<destination>.json`.

    What arrives is kept in `<destination>.part`, so that a later attempt, or a later call, goes on
    where it was cut, if the server can and the file there is still the same. An attempt that gets
    no further than those before it is repeated `retries` times, after `first_wait` seconds and
    twice as long each time; one is given up when nothing arrives for `stall_timeout` seconds.

    Returns the record. Raises PetiteError when the server refuses, the file does not arrive whole,
    is not the one with the SHA-256 `sha256`, or does not fit on the disk.
    """
    if split_address(url).scheme not in ("http", "https") or not split_address(url).hostname:
        raise PetiteError(
            f"{public_url(url)} cannot be downloaded: an address begins with http:// or https://. "
            "A file that is here already is given by its path"
        )
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise PetiteError(f"{sha256!r} is no SHA-256: it must have 64 hexadecimal digits")
    part = _Part(url, destination)
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
        found = sha256_of(part.path)
        if sha256 is not None and found != sha256.lower():
            part.remove()
            raise PetiteError(
                f"{public_url(url)}: SHA-256 mismatch: expected {sha256.lower()}, got {found}. "
                "If the file was changed on purpose, put the new SHA-256 (or none) into the "
                "config; if not, do not use it"
            )
        record = keep(part.path, destination, public_url(url), found)
        part.remove()
    return record


def keep(arrived: Path, destination: Path, url: str, sha256: str) -> Record:
    """Give a checked file its final name, and write its record."""
    record = Record(url=url, sha256=sha256, bytes=arrived.stat().st_size)
    arrived.replace(destination)
    write_json(record_path(destination), record)
    logger.info("downloaded %s, %.1f MB, SHA-256 %s", destination, record["bytes"] / 1e6, sha256)
    return record


def record_path(destination: Path) -> Path:
    """Where the record of a downloaded file is written."""
    return destination.with_name(destination.name + ".json")


class _Part:
    """The part of a file that has arrived, and what is known about the whole."""

    def __init__(self, url: str, destination: Path) -> None:
        """Take up what an earlier call left, if it is of the same address."""
        self.path = destination.with_name(destination.name + ".part")
        self._state_path = destination.with_name(destination.name + ".part.json")
        # As a digest: the address may hold secrets.
        self._url_digest = hashlib.sha256(url.encode()).hexdigest()
        # What the server names this version of the file (an ETag or a date), and its length.
        self.validator: str | None = None
        self.total: int | None = None
        with suppress(OSError, ValueError, KeyError, TypeError):  # there is no usable state
            state = read_json(self._state_path)
            if state["url_digest"] == self._url_digest:
                self.validator, self.total = state["validator"], state["total"]

    def size(self) -> int:
        """How many bytes have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    def resumes_at(self) -> int:
        """Where the next attempt may go on: 0 unless the server names the file's version."""
        return self.size() if self.validator else 0

    def is_whole(self) -> bool:
        return self.total is not None and self.resumes_at() == self.total

    def begin(self, validator: str | None, total: int | None) -> None:
        """Start the file again."""
        self.remove()
        self.path.touch()
        self.validator, self.total = validator, total
        state = {"url_digest": self._url_digest, "validator": validator, "total": total}
        write_json(self._state_path, state)

    def remove(self) -> None:
        self.validator = self.total = None
        self.path.unlink(missing_ok=True)
        self._state_path.unlink(missing_ok=True)


class _Session(requests.Session):
    """Follows redirects within http and https, and from http to https, but not back."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        scheme = split_address(resp.url).scheme
        if target and split_address(target).scheme not in ("", "https", scheme):
            raise requests.exceptions.InvalidSchema(
                f"the server leads from {scheme} to {public_url(target)}", response=resp
            )
        return target


class _Retry(Retry):
    """urllib3's rules, with a wait before the first retry, and for a Retry-After without a time."""

    def get_backoff_time(self) -> float:
        return min(self.backoff_factor * 2 ** (len(self.history) - 1), self.backoff_max)

    def parse_retry_after(self, retry_after: str) -> float:
        try:
            return super().parse_retry_after(retry_after)
        except urllib3.exceptions.InvalidHeader:
            return 0


def _fetch(url: str, part: _Part, retry: Retry, stall_timeout: float) -> None:
    """Attempt until the part is whole; one that gets further gives back all retries."""
    all_retries, furthest = retry, part.size()
    with _Session() as session:
        session.headers["User-Agent"] = f"petite/{__version__}"
        # What arrives is to be the file itself, byte for byte.
        session.headers["Accept-Encoding"] = "identity"
        while not part.is_whole():
            try:
                return _attempt(session, url, part, stall_timeout)
            # While a body is read, urllib3's errors are not made requests'.
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                if part.size() > furthest:
                    retry, furthest = all_retries, part.size()
                if advice := _advice(error, retry):
                    raise PetiteError(
                        f"{public_url(url)} cannot be downloaded: {_reason(error)}; {advice}"
                    ) from error
                logger.warning("%s; trying again within a minute", _reason(error))
                retry = retry.increment("GET", error=error)
                retry.sleep(getattr(getattr(error, "response", None), "raw", None))


def _advice(error: Exception, retry: Retry) -> str | None:
    """What the user can do where another attempt cannot help, or none is left; else None."""
    response = getattr(error, "response", None)
    if response is not None and not retry.is_retry("GET", response.status_code):
        return ADVICE.get(response.status_code, "open the address in a browser to see why")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "if your network has a certificate of its own, name its file in REQUESTS_CA_BUNDLE"
    if isinstance(error, ValueError):  # requests' errors for an invalid address
        return "check the address"
    if not retry.total:
        return "run again later: what has arrived is kept if the server can resume downloads"
    return None


def _reason(error: Exception) -> str:
    """The innermost of a chain of errors: the outer ones hold the address and its secrets."""
    chain = (getattr(error, "reason", None), *error.args)
    inner = next((cause for cause in chain if isinstance(cause, Exception)), None)
    return str(error) if inner is None else _reason(inner)


def _attempt(session: requests.Session, url: str, part: _Part, stall_timeout: float) -> None:
    """Ask for the file, or for what is missing of it, and receive it."""
    offset = part.resumes_at()
    headers = {}
    if part.validator and offset:
        headers = {"Range": f"bytes={offset}-", "If-Range": part.validator}
    with session.get(url, headers=headers, stream=True, timeout=stall_timeout) as response:
        if response.status_code == 200:
            part.begin(_validator(response), response.raw.length_remaining)
        elif response.status_code == 206 and _continues(response, part):
            logger.info("going on at %.1f MB", offset / 1e6)
        else:
            if response.status_code in (206, 416):  # the file has changed
                part.remove()
            raise requests.HTTPError(
                f"the server answers {response.status_code} {response.reason}", response=response
            )
        _check_space(part, url)
        _receive(response, part)


def _continues(response: requests.Response, part: _Part) -> bool:
    """Whether the answer goes on where the part ends, in the same file."""
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
    """What the server names this version of the file, if it does so reliably."""
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):  # a weak one may stand for other bytes too
        return etag
    return response.headers.get("Last-Modified")


def _check_space(part: _Part, url: str) -> None:
    missing = (part.total or 0) - part.size()
    free = shutil.disk_usage(part.path.parent).free
    if missing > free:
        raise PetiteError(
            f"{public_url(url)} does not fit into {part.path.parent}: {missing / 1e6:.0f} MB are "
            f"to come and {free / 1e6:.0f} MB are free. Make room, or put results/ elsewhere"
        )


def _receive(response: requests.Response, part: _Part) -> None:
    """Append the answer's body to the part, which must then be whole."""
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
        # read1 gives what is there: what arrived before a cut is not lost in a buffer.
        while chunk := response.raw.read1(CHUNK):
            file.write(chunk)
            bar.update(task.id, completed=file.tell())
            if bar.disable and time.monotonic() - logged >= LOG_EVERY:
                logged = time.monotonic()
                logger.info("%s", ", ".join(str(column.render(task)) for column in columns))
    size = part.size()
    if part.total is None:
        logger.warning("the server gave no length, so that a cut would go unseen")
    elif size != part.total:
        if size > part.total:
            part.remove()
        raise requests.HTTPError(f"{size} bytes arrived of {part.total}")
