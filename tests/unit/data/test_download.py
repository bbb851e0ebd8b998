"""Downloads against a real server that misbehaves."""

import hashlib
import io
import json
import logging
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_server import Server, chunked, serve, silence, stalled, status, whole

import petite.data.download
from petite.data.download import download
from petite.util.errors import PetiteError

CONTENT = random.Random(1).randbytes(1_500_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(CONTENT) as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "photos.zip"


def fetch(server: Server, target: Path, sha256: str | None = None, **options: Any) -> dict:
    quick: dict[str, Any] = {"retries": 2, "first_wait": 0.01, "stall_timeout": 5.0}
    return download(server.url, target, sha256, **(quick | options))


def assert_arrived(target: Path, content: bytes = CONTENT) -> None:
    """The file is there, whole, with its record, and nothing else."""
    assert target.read_bytes() == content
    assert sorted(file.name for file in target.parent.iterdir()) == [
        target.name,
        f"{target.name}.json",
    ]


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def test_a_file_arrives_with_a_record_of_what_it_is(server: Server, target: Path) -> None:
    record = fetch(server, target, SHA256.upper())
    assert_arrived(target)
    assert record == {"url": server.url, "sha256": SHA256, "bytes": len(CONTENT)}
    assert json.loads((target.parent / "photos.zip.json").read_text()) == record


def test_a_download_replaces_an_older_file(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"old")
    fetch(server, target)
    assert_arrived(target)


def test_a_cut_download_goes_on_where_it_was_cut(server: Server, target: Path) -> None:
    server.plan = [whole(send=400_000), whole(send=300_000)]
    fetch(server, target, SHA256)
    assert_arrived(target)
    assert server.ranges_asked == [None, "bytes=400000-", "bytes=700000-"]


def test_any_number_of_cuts_is_borne_as_long_as_each_attempt_gets_further(
    server: Server, target: Path
) -> None:
    server.plan = [whole(send=150_000)] * 9
    fetch(server, target, retries=1)
    assert_arrived(target)
    assert len(server.requests) == 10


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server: Server, target: Path) -> None:
    server.plan = [whole(send=400_000), status(503), status(503)]
    with pytest.raises(PetiteError, match="503"):
        fetch(server, target)
    assert not target.exists()
    server.requests.clear()
    fetch(server, target)
    assert_arrived(target)
    assert server.ranges_asked == ["bytes=400000-"]


def test_a_part_that_was_whole_already_is_not_asked_for_again(server: Server, target: Path) -> None:
    server.plan = [whole(send=400_000), status(404)]
    with pytest.raises(PetiteError, match="404"):
        fetch(server, target)
    # As after a kill between the last byte and the renaming.
    part_of(target).write_bytes(CONTENT)
    server.requests.clear()
    fetch(server, target, SHA256)
    assert_arrived(target)
    assert server.requests == []


def test_the_part_of_another_address_is_not_gone_on_with(server: Server, target: Path) -> None:
    server.plan = [whole(send=400_000), status(404)]
    with pytest.raises(PetiteError):
        fetch(server, target)
    server.requests.clear()
    server.url += "?other"
    fetch(server, target)
    assert_arrived(target)
    assert server.ranges_asked == [None]


@pytest.mark.parametrize("state", [b"", b"[]", b'{"url_digest": 1}', b"\xff"])
def test_a_part_with_a_broken_note_is_started_again(
    server: Server, target: Path, state: bytes
) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(b"something")
    part_of(target).with_name("photos.zip.part.json").write_bytes(state)
    fetch(server, target)
    assert_arrived(target)


def test_a_date_serves_for_resuming_where_there_is_no_etag(server: Server, target: Path) -> None:
    server.etag, server.last_modified = None, "Mon, 05 Jan 2026 10:00:00 GMT"
    server.plan = [whole(send=400_000)]
    fetch(server, target)
    assert_arrived(target)
    assert server.ranges_asked == [None, "bytes=400000-"]
    assert server.requests[1][1]["If-Range"] == server.last_modified


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_a_file_that_could_have_changed_unseen_is_started_again(
    server: Server, target: Path, etag: str | None
) -> None:
    server.etag = etag
    server.plan = [whole(send=400_000)]
    fetch(server, target)
    assert_arrived(target)
    assert server.ranges_asked == [None, None]


def test_a_file_that_changes_between_attempts_is_not_spliced(server: Server, target: Path) -> None:
    changed = CONTENT[::-1]

    def change(handler: Any) -> None:
        server.content, server.etag = changed, '"two"'

    server.plan = [whole(send=400_000, then=change)]
    fetch(server, target)
    assert_arrived(target, changed)
    assert server.ranges_asked == [None, "bytes=400000-"]


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": '"two"'},
        {"Content-Range": "bytes 400001-1500000/1500001"},
        {"Content-Range": "bytes 0-1499999/1500000"},
        {"Content-Range": "nonsense"},
        {"Content-Length": "7"},
    ],
    ids=["other version", "other length", "other start", "nonsense", "lengths disagree"],
)
def test_a_range_that_does_not_continue_the_part_is_not_spliced(
    server: Server, target: Path, headers: dict[str, str]
) -> None:
    server.plan = [whole(send=400_000), whole(headers=headers)]
    fetch(server, target, SHA256)
    assert_arrived(target)
    assert server.ranges_asked == [None, "bytes=400000-", None]


def test_a_file_that_shrank_is_started_again(server: Server, target: Path) -> None:
    server.plan = [whole(send=400_000), status(416)]
    fetch(server, target)
    assert_arrived(target)
    assert server.ranges_asked == [None, "bytes=400000-", None]


def test_a_server_without_ranges_sends_the_whole_file_again(server: Server, target: Path) -> None:
    server.plan = [whole(send=400_000), whole(ranges=False)]
    fetch(server, target, SHA256)
    assert_arrived(target)


def test_a_server_that_always_cuts_and_knows_no_ranges_ends_in_an_error(
    server: Server, target: Path
) -> None:
    server.plan = [whole(send=400_000, ranges=False)] * 9
    with pytest.raises(PetiteError, match=re.escape(server.url)):
        fetch(server, target, retries=3)
    assert not target.exists()
    assert len(server.requests) == 4


def test_a_stalled_download_is_given_up_and_resumed(server: Server, target: Path) -> None:
    server.plan = [stalled(400_000)]
    fetch(server, target, stall_timeout=0.3)
    assert_arrived(target)
    assert server.ranges_asked == [None, "bytes=400000-"]


def test_a_server_that_hangs_up_without_an_answer_is_tried_again(
    server: Server, target: Path
) -> None:
    server.plan = [silence, silence]
    fetch(server, target)
    assert_arrived(target)


def test_a_file_shorter_than_announced_never_gets_its_final_name(
    server: Server, target: Path
) -> None:
    server.plan = [whole(announce=len(CONTENT) + 1000)] * 9
    with pytest.raises(PetiteError, match="1000"):
        fetch(server, target)
    assert not target.exists()


def test_a_file_longer_than_announced_fails_its_sha256(server: Server, target: Path) -> None:
    server.plan = [whole(announce=1000)]
    with pytest.raises(PetiteError, match="SHA-256"):
        fetch(server, target, SHA256)
    assert list(target.parent.iterdir()) == []


def test_a_rest_longer_than_announced_is_not_kept(server: Server, target: Path) -> None:
    # A range without a Content-Length ends with the connection: here after the whole file.
    def overlong(handler: Any) -> None:
        last = len(CONTENT) - 1
        given = {"Content-Range": f"bytes 400000-{last}/{len(CONTENT)}"}
        handler.start(206, handler.validators() | given)
        handler.wfile.write(CONTENT)

    server.plan = [whole(send=400_000), overlong]
    fetch(server, target, SHA256)
    assert_arrived(target)
    assert server.ranges_asked == [None, "bytes=400000-", None]


def test_a_file_in_chunks_arrives_and_a_cut_one_is_noticed(server: Server, target: Path) -> None:
    server.plan = [chunked(complete=False), chunked(complete=True)]
    fetch(server, target)
    assert_arrived(target)
    assert len(server.requests) == 2


def test_a_file_without_a_length_arrives_with_a_warning(
    server: Server, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.plan = [whole(length=False)]
    fetch(server, target)
    assert_arrived(target)
    assert "no length" in caplog.text


def test_an_empty_file_arrives(server: Server, target: Path) -> None:
    server.content = b""
    server.plan = [status(200)]
    assert fetch(server, target)["bytes"] == 0
    assert_arrived(target, b"")


def test_a_wrong_sha256_leaves_nothing_behind(server: Server, target: Path) -> None:
    with pytest.raises(PetiteError, match=SHA256):
        fetch(server, target, "0" * 64)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("sha256", ["", "abc", "g" * 64])
def test_an_invalid_sha256_is_refused_before_any_request(
    server: Server, target: Path, sha256: str
) -> None:
    with pytest.raises(PetiteError, match=f"SHA-256 {sha256!r}.*64"):
        fetch(server, target, sha256)
    assert server.requests == []


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
def test_a_refusal_ends_at_once_and_says_so(server: Server, target: Path, code: int) -> None:
    server.plan = [status(code)] * 9
    with pytest.raises(PetiteError, match=str(code)):
        fetch(server, target)
    assert len(server.requests) == 1
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_passing_error_is_tried_again(server: Server, target: Path, code: int) -> None:
    server.plan = [status(code), status(code)]
    fetch(server, target)
    assert_arrived(target)


def test_a_lasting_error_ends_after_the_retries(server: Server, target: Path) -> None:
    server.plan = [status(500)] * 9
    with pytest.raises(PetiteError, match="500"):
        fetch(server, target, retries=3)
    assert len(server.requests) == 4
    assert not target.exists()


def test_the_wait_doubles_and_heeds_what_the_server_asks_for(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("petite.data.download.time.sleep", waits.append)
    asked = status(429, {"Retry-After": "7"})
    far = status(503, {"Retry-After": "86400"})
    server.plan = [status(500), status(500), status(500), asked, far]
    fetch(server, target, retries=5, first_wait=2.0)
    assert waits == [2, 4, 8, 7, petite.data.download.LONGEST_WAIT]


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [("Wed, 01 Jan 2098 00:00:00 GMT", 60), ("Wed, 01 Jan 2020 00:00:00 GMT", 2), ("soon", 2)],
)
def test_a_server_may_ask_for_a_wait_until_a_date_and_an_invalid_time_is_ignored(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch, retry_after: str, wait: float
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("petite.data.download.time.sleep", waits.append)
    server.plan = [status(503, {"Retry-After": retry_after})]
    fetch(server, target, first_wait=2.0)
    assert_arrived(target)
    assert waits == [wait]


def test_a_proxy_is_used_and_its_password_reaches_no_log_or_error(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("http_proxy", f"http://me:hunter2@127.0.0.1:{server.port}")
    server.url = "http://photos.invalid/data/photos.zip"
    server.plan = [status(503)]
    fetch(server, target, SHA256)
    assert_arrived(target)
    path, headers = server.requests[-1]
    assert path == server.url
    assert headers["Proxy-Authorization"].startswith("Basic ")
    server.plan = [silence] * 9
    with pytest.raises(PetiteError) as error:
        fetch(server, target)
    assert "hunter" not in caplog.text + str(error.value)


def test_the_users_netrc_logs_in(
    server: Server, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    fetch(server, target)
    assert server.requests[0][1]["Authorization"].startswith("Basic ")


def test_a_redirect_is_followed_and_the_address_that_was_given_is_recorded(
    server: Server, target: Path
) -> None:
    server.plan = [status(302, {"Location": "/elsewhere/file.bin"})]
    record = fetch(server, target)
    assert_arrived(target)
    assert [path for path, _ in server.requests] == ["/data/photos.zip", "/elsewhere/file.bin"]
    assert record["url"] == server.url


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_a_redirect_to_something_other_than_http_is_refused(
    server: Server, target: Path, location: str
) -> None:
    server.plan = [status(302, {"Location": location})] * 9
    with pytest.raises(PetiteError, match=re.escape(location)):
        fetch(server, target)
    assert len(server.requests) == 1
    assert not target.exists()


def test_redirects_in_a_circle_end_in_an_error(server: Server, target: Path) -> None:
    server.plan = [status(302, {"Location": server.url})] * 99
    with pytest.raises(PetiteError, match="redirects"):
        fetch(server, target)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "/etc/hostname", "ftp://a/b", "", "http:"])
def test_only_http_addresses_are_downloaded(tmp_path: Path, url: str) -> None:
    with pytest.raises(PetiteError, match="http://"):
        download(url, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match=re.escape("http://[x/y.zip")):
        download("http://[x/y.zip", tmp_path / "x")


def test_a_server_that_is_not_there_is_an_error_that_names_it(target: Path) -> None:
    with serve(b"") as gone:
        pass
    with pytest.raises(PetiteError, match=f"127.0.0.1:{gone.port}/.*refused"):
        fetch(gone, target, retries=1)


def test_secrets_in_the_address_reach_the_server_but_no_record_log_or_error(
    server: Server, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.url = f"http://me:hunter2@127.0.0.1:{server.port}/a.zip?id=5&X-Amz-Signature=hunter3&b=1"
    server.plan = [status(500), silence]
    record = fetch(server, target)
    path, headers = server.requests[0]
    assert "hunter3" in path
    assert headers["Authorization"].startswith("Basic ")
    assert record["url"] == (f"http://127.0.0.1:{server.port}/a.zip?id=5&X-Amz-Signature=...&b=1")
    server.plan = [silence] * 9
    with pytest.raises(PetiteError) as error:
        fetch(server, target)
    everything = caplog.text + str(error.value)
    everything += "".join(file.read_text("latin-1") for file in target.parent.glob("*.json"))
    assert "hunter" not in everything


def test_a_file_that_does_not_fit_is_refused_before_it_is_fetched(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.disk_usage(target.parent.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real._replace(free=len(CONTENT) - 1))
    with pytest.raises(PetiteError, match=re.escape(str(target.parent))):
        fetch(server, target)
    assert not target.exists()
    assert part_of(target).stat().st_size == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_is_a_clear_error(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(petite.data.download.Part, "begin", lambda part, validator, total: None)
    target.parent.mkdir()
    part_of(target).symlink_to("/dev/full")
    with pytest.raises(PetiteError, match=re.escape(str(target.parent))):
        fetch(server, target)
    assert not target.exists()


def test_a_folder_that_cannot_be_made_is_a_clear_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PetiteError, match=re.escape(str(tmp_path / "file"))):
        fetch(server, tmp_path / "file" / "downloads" / "photos.zip")
    assert server.requests == []


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of its own for a server on this machine, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program to make a certificate")
    pem = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(pem), "-out", str(pem)]
    subprocess.run(command, check=True, capture_output=True)
    return pem


def test_a_redirect_from_https_to_http_is_refused_and_the_other_way_is_followed(
    certificate: Path, server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serve(CONTENT, certificate=certificate) as safe:
        safe.plan = [status(302, {"Location": server.url + "?key=secret"})]
        with pytest.raises(PetiteError, match="from https to http://") as error:
            fetch(safe, target)
        assert "secret" not in str(error.value)
        assert server.requests == []
        server.plan = [status(302, {"Location": safe.url})]
        fetch(server, target)
    assert_arrived(target)


def test_a_certificate_that_is_not_trusted_is_refused_and_one_that_is_is_not(
    certificate: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(CONTENT, certificate=certificate) as server:
        with pytest.raises(PetiteError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(server, target)
        assert server.requests == []
        assert not target.exists()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        fetch(server, target)
    assert_arrived(target)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_used_are_named(
    certificate: Path, target: Path, monkeypatch: pytest.MonkeyPatch, variable: str,
    content: str | None,
) -> None:  # fmt: skip
    bundle = certificate.with_name(f"{variable}.pem")
    bundle.unlink(missing_ok=True)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv(variable, str(bundle))
    with serve(CONTENT, certificate=certificate) as server:
        with pytest.raises(PetiteError, match=rf"{re.escape(str(bundle))}.*{variable}"):
            fetch(server, target)
        assert server.requests == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_on_a_terminal(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    fetch(server, target)
    shown = terminal.getvalue()
    assert "1.5/1.5 MB" in shown and "━" in shown
    assert shown.endswith("\x1b[2K")  # the bar is gone in the end


def test_progress_is_lines_in_the_log_where_there_is_no_terminal(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(petite.data.download, "LOG_EVERY", 0.0)
    printed = io.StringIO()
    monkeypatch.setattr(sys, "stderr", printed)
    fetch(server, target)
    assert "1.5/1.5 MB" in caplog.text
    assert printed.getvalue() == ""


def run_script(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = json.dumps({"source": "archive", "url": url, "sha256": SHA256})
    command = [sys.executable, str(SCRIPTS / "download.py"), "--settings", settings, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_script_downloads_an_archive_and_logs_it(
    server: Server, target: Path, tmp_path: Path
) -> None:
    log = tmp_path / "logs" / "download.log"
    result = run_script(server.url, "--output", str(target), "--log", str(log))
    assert result.returncode == 0, result.stderr
    assert_arrived(target)
    assert SHA256 in log.read_text()


def test_the_script_ends_with_one_clear_message_where_the_file_is_not_there(
    server: Server, target: Path
) -> None:
    server.plan = [status(404)]
    result = run_script(server.url, "--output", str(target))
    assert result.returncode == 1
    assert "404" in result.stderr
    assert "Traceback" not in result.stderr
