"""The page of a run at work is read-only, of this machine, and leads nowhere else."""

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from petite.watch.page import page
from petite.watch.server import Server
from petite.watch.so_far import SoFar

SECRET = "not for others"
DRAWN = '<svg viewBox="0 0 1 1"><path style="fill: #ffffff; stroke: #0072b2"/></svg>'


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "secret.png").write_text(SECRET)
    folder = tmp_path / "results/x"
    (folder / "figures").mkdir(parents=True)
    (folder / "report.html").write_text("the report")
    (folder / "runs.csv").write_text(SECRET)
    (folder / "figures/accuracy_by_fraction.svg").write_text(DRAWN)
    (folder / "figures/plane.png").write_text(SECRET)
    return folder


@pytest.fixture
def server(results: Path) -> Iterator[Server]:
    made = Server(results, lambda: page("x", results, SoFar([], "auto").table(), None))
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def ask(
    server: Server, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    found = connection.getresponse()
    return found.status, found.read(), dict(found.getheaders())


def test_the_page_the_report_and_the_figures_are_served_and_the_page_renews_itself(server):
    status, content, headers = ask(server, "/")
    assert status == 200 and b"accuracy_by_fraction.svg" in content
    assert int(headers["Refresh"]) > 0
    assert ask(server, "/?again")[0] == 200
    assert ask(server, "/report.html")[1] == b"the report"
    _, content, headers = ask(server, "/figures/accuracy_by_fraction.svg")
    assert b"<path" in content and headers["Content-Type"] == "image/svg+xml"


def test_a_figure_has_the_colors_of_the_theme(server):
    _, content, _ = ask(server, "/figures/accuracy_by_fraction.svg")
    light, _, dark = content.decode().partition("@media (prefers-color-scheme: dark)")
    assert "fill: var(--page)" in dark and "stroke: var(--drawn-0072b2)" in dark
    assert "--page: #ffffff;" in light and "--drawn-0072b2: #0072b2;" in light
    assert "--page: #15181c;" in dark and "--drawn-0072b2: #" in dark
    assert "#0072b2" not in dark  # it cannot be seen on a dark page


@pytest.mark.parametrize(
    "path",
    [
        "/runs.csv",
        "/figures",
        "/figures/",
        "/figures/plane.png",
        "/figures/../runs.csv",
        "/figures/..%2fruns.csv",
        "/figures/%2e%2e/%2e%2e/secret.png",
        "/figures/../../../secret.png",
        "/figures/..\\..\\..\\secret.png",
        "//secret.png",
        "/../secret.png",
        "/report.html/..",
        "/report.html%00",
        "/etc/passwd",
        "file:///etc/passwd",
        "/figures/none.svg",
    ],
)
def test_nothing_else_is_served_by_any_path(server, path):
    status, content, _ = ask(server, path)
    assert status == 404 and SECRET.encode() not in content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_sent(server, method):
    assert ask(server, "/", method)[0] == 501


def test_the_head_of_a_page_has_no_content(server):
    status, content, headers = ask(server, "/", "HEAD")
    assert (status, content) == (200, b"") and int(headers["Content-Length"]) > 0


def test_a_name_of_another_site_that_leads_to_this_machine_is_refused(server):
    assert ask(server, "/", host="attacker.example")[0] == 403
    assert ask(server, "/", host=f"localhost:{server.server_port}")[0] == 200


def test_only_this_machine_is_listened_to(server):
    assert server.server_address[0] == "127.0.0.1"
    with socket.socket() as other, pytest.raises(OSError):
        other.connect(("127.0.0.2", server.server_port))


def test_the_title_of_the_page_is_text(results):
    text = page("photos", results, SoFar([], "auto").table(), None)
    assert "<title>photos: so far – Petite</title>" in text


def test_a_report_that_is_not_there_is_no_page(server, results):
    (results / "report.html").unlink()
    assert ask(server, "/report.html")[0] == 404
    assert b"report.html" not in ask(server, "/")[1]


def test_results_that_cannot_be_read_now_are_asked_for_again(server):
    def page() -> str:
        raise KeyError("accuracy")

    server.page = page
    status, content, headers = ask(server, "/")
    assert status == 200 and b"accuracy" in content and "Refresh" in headers
