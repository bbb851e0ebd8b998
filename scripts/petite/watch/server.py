"""Serve the growing results of a run to a browser on this machine. Nothing can be changed by it."""

import re
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from petite.report.drawing import in_both_themes

FIGURE = re.compile(r"/figures/[\w.@-]+\.svg")
SECONDS_BETWEEN_LOADS = 5
# No page from elsewhere may ask for ours by another name of this machine.
OWN_POLICY = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"


class Server(ThreadingHTTPServer):
    """A server on a free port of this machine's own address, which no other machine reaches.

    Parameters
    ----------
    results : Path
        The folder of the results: its report.html and figures/*.svg are served, nothing else.
    page : callable
        Makes the HTML of the first page, for each request.
    """

    daemon_threads = True

    def __init__(self, results: Path, page: Callable[[], str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.results, self.page = results, page

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def answer(self, path: str) -> tuple[str, bytes, dict[str, str]] | None:
        """The type, content and further headers of what is at a path; None if there is nothing."""
        if path == "/":
            headers = {"Refresh": str(SECONDS_BETWEEN_LOADS), "Content-Security-Policy": OWN_POLICY}
            # Results of an earlier version may lack a column, until they are made again.
            try:
                return "text/html; charset=utf-8", self.page().encode(), headers
            except (OSError, ValueError, KeyError) as error:
                said = f"The results cannot be read now: {error!r}. This page loads again."
                return "text/plain; charset=utf-8", said.encode(), headers
        if path == "/report.html":
            kind, file = "text/html; charset=utf-8", self.results / "report.html"
        # A name of the figures' folder, compared with those in it: no path leads elsewhere.
        elif FIGURE.fullmatch(path):
            names = {found.name: found for found in self.results.glob("figures/*.svg")}
            kind, file = "image/svg+xml", names.get(path.rpartition("/")[2], Path())
        else:
            return None
        # A job may be writing it again.
        try:
            text = file.read_text("utf-8")
        except OSError:
            return None
        return kind, (in_both_themes(text) if kind == "image/svg+xml" else text).encode(), {}


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: Server
    server_version, sys_version = "Petite", ""

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def _answer(self, with_content: bool) -> None:
        port = self.server.server_port
        if self.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        found = self.server.answer(self.path.partition("?")[0])
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        kind, content, headers = found
        self.send_response(HTTPStatus.OK)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if with_content:
            self.wfile.write(content)
