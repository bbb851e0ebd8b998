"""A real HTTP server on loopback that misbehaves on request, with one response per request."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = Callable[["Handler"], None]


class Server:
    """Serves `content` at every path: first with the answers in `plan`, then as it should.

    `requests` holds the path and the headers of each request so far.
    """

    def __init__(self, content: bytes, port: int, scheme: str = "http") -> None:
        self.content = content
        self.etag: str | None = '"one"'
        self.last_modified: str | None = None
        self.plan: list[Answer] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}/data/photos.zip"

    @property
    def ranges_asked(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.requests]


class Handler(BaseHTTPRequestHandler):
    """One connection; the server object carries the Server above."""

    site: Server

    def do_GET(self) -> None:
        self.site.requests.append((self.path, dict(self.headers)))
        answer = self.site.plan.pop(0) if self.site.plan else whole()
        self.close_connection = True
        answer(self)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def validators(self) -> dict[str, str]:
        named = {"ETag": self.site.etag, "Last-Modified": self.site.last_modified}
        return {name: value for name, value in named.items() if value is not None}

    def wanted_start(self) -> int:
        """Where the range that is asked for begins; 0 without one, or when the file changed."""
        asked = self.headers.get("Range")
        if asked is None or self.headers.get("If-Range") not in self.validators().values():
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))


def whole(
    send: int | None = None,
    ranges: bool = True,
    announce: int | None = None,
    length: bool = True,
    headers: dict[str, str] | None = None,
    then: Callable[[Handler], object] | None = None,
) -> Answer:
    """The file, or the range that is asked for.

    `send`: the number of bytes that are sent before the connection is closed; `ranges`: whether
    ranges are known; `announce`: a false total length; `length`: whether one is sent at all;
    `headers`: in place of the true ones; `then`: what happens before the connection is closed.
    """

    def answer(handler: Handler) -> None:
        content = handler.site.content
        start = handler.wanted_start() if ranges else 0
        total = len(content) if announce is None else announce
        if start >= total:
            return handler.start(416, {"Content-Range": f"bytes */{total}"})
        validators = handler.validators()
        if length:
            validators["Content-Length"] = str(total - start)
        if start:
            validators["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        handler.start(206 if start else 200, validators | (headers or {}))
        handler.wfile.write(content[start:][:send])
        handler.wfile.flush()
        if then:
            then(handler)

    return answer


def stalled(send: int) -> Answer:
    """Some of the file and then nothing more, with the connection open."""
    return whole(send, then=lambda handler: handler.site.released.wait(30))


def status(code: int, headers: dict[str, str] | None = None) -> Answer:
    """An answer without a file."""
    return lambda handler: handler.start(code, {"Content-Length": "0"} | (headers or {}))


def silence(handler: Handler) -> None:
    """The connection is closed before there is any answer."""


def chunked(complete: bool) -> Answer:
    """The file in chunks, without a length; incomplete, it lacks the last chunk."""

    def answer(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.start(200, handler.validators() | {"Transfer-Encoding": "chunked"})
        content = handler.site.content
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(content) // 2, content[: len(content) // 2]))
        if complete:
            rest = content[len(content) // 2 :]
            handler.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest))

    return answer


@contextmanager
def serve(content: bytes, certificate: Path | None = None) -> Iterator[Server]:
    """Run a server; with `certificate` (a PEM file with its key), over HTTPS."""
    handler = type("SiteHandler", (Handler,), {})
    listener = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    listener.daemon_threads = True
    # A client that hangs up, or distrusts the certificate, is not an error of the server.
    listener.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    site = Server(content, listener.server_port, "https" if certificate else "http")
    handler.site = site  # type: ignore[attr-defined]
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.released.set()
        listener.shutdown()
        listener.server_close()
