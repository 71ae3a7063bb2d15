"""A listening test on 127.0.0.1: shows one page, and keeps the results that it sends in a folder. Nothing else.

Only this machine reaches it. Other websites that are open in the same browser do not: a request has to name this host
(against DNS rebinding) and, where it sends something, to come from the page itself.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

from musr_cli.audio.files import AtomicFile, failure
from musr_cli.errors import MusrError
from musr_cli.listening.results import Session, parse_session, session_name

HOST = "127.0.0.1"
MOST_BYTES = 1 << 20
"""Of results: a test of 100 screens takes about 30 kB."""

PATIENCE_S = 30.0
"""A connection on which nothing happens for so long is closed."""

_NAMES_US = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?")
_DIGITS = re.compile(r"\d{1,9}", re.ASCII)

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class _RefusedError(Exception):
    """A request that is not answered: status and one line."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Collector:
    """Keeps results in a folder.

    Attributes:
        folder: where they go.
        saved: names of the files so far.
    """

    def __init__(self, folder: Path, test_id: str, told: Callable[[str], None] = lambda line: None) -> None:
        """Make the folder.

        Args:
            folder: where results go.
            test_id: results of other tests are refused.
            told: gets one line for each file.
        """
        self.folder = folder
        self.saved: list[str] = []
        self._test_id, self._told = test_id, told
        self._one_at_a_time = Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise failure(folder, "written", error) from error

    def take(self, text: str) -> str:
        """Check results and keep them under a name that is still free, which is returned.

        Raises:
            MusrError: no results of this test, or a folder that takes none.
        """
        session = parse_session(text, "what was sent")
        if session.test_id != self._test_id:
            raise MusrError(f"results of another test, '{session.design.title}'; reload the page")
        with self._one_at_a_time:
            path = self._free(session)
            with AtomicFile(path) as whole:
                whole.file.write(text.encode())
            self.saved.append(path.name)
        self._told(f"{path}: results of {session.listener}")
        return path.name

    def _free(self, session: Session) -> Path:
        names = (session_name(session, number) for number in count(1))
        return next(path for name in names if not os.path.lexists(path := self.folder / name))


class Server(ThreadingHTTPServer):
    """Shows `page` at /, takes results at /results.

    Attributes:
        page: the HTML file.
        collector: takes results.
    """

    daemon_threads = True

    def __init__(self, page: bytes, collector: Collector, port: int = 0) -> None:
        """Begin to listen; `serve_forever` answers.

        Args:
            page: the HTML file.
            collector: takes results.
            port: 0 for any that is free.

        Raises:
            MusrError: a port that is not to be had.
        """
        self.page, self.collector = page, collector
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise MusrError(f"--port {port}: {error.strerror or error}; leave it out for any that is free") from error

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is nothing to talk about."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = PATIENCE_S
    protocol_version = "HTTP/1.1"
    server_version = "musr"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(self._page)

    def do_HEAD(self) -> None:
        self._answer(self._page)

    def do_POST(self) -> None:
        self._answer(self._results)

    def log_message(self, format: str, *args: Any) -> None:
        """What was saved is told by the collector; the rest is nobody's business."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses by itself, such as other methods, in one line too."""
        del explain
        self.close_connection = True
        self._send(HTTPStatus(code), "text/plain", f"{message or HTTPStatus(code).phrase}\n".encode())

    def _answer(self, answer: Callable[[], tuple[HTTPStatus, str, bytes]]) -> None:
        try:
            self._refuse_strangers()
            self._send(*answer())
        except _RefusedError as refusal:
            # what was not read of the request would be taken for the next one
            self.close_connection = True
            self._send(refusal.status, "text/plain", f"{refusal}\n".encode())

    def _refuse_strangers(self) -> None:
        # any port: behind a tunnel it is another one than ours
        if not _NAMES_US.fullmatch(self.headers.get("Host", "")):
            raise _RefusedError(HTTPStatus.FORBIDDEN, f"this server answers as {self.server.url} only")

    def _page(self) -> tuple[HTTPStatus, str, bytes]:
        if self.path != "/":
            raise _RefusedError(HTTPStatus.NOT_FOUND, "there is only one page: /")
        return HTTPStatus.OK, "text/html", self.server.page

    def _results(self) -> tuple[HTTPStatus, str, bytes]:
        if self.path != "/results":
            raise _RefusedError(HTTPStatus.NOT_FOUND, "results go to /results")
        if self.headers.get("Origin") != f"http://{self.headers.get('Host')}":
            raise _RefusedError(HTTPStatus.FORBIDDEN, "results come from the page of this server only")
        if self.headers.get_content_type() != "application/json":
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "results are application/json")
        try:
            name = self.server.collector.take(self._body())
        except MusrError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error
        return HTTPStatus.CREATED, "application/json", json.dumps({"saved": name}).encode()

    def _body(self) -> str:
        length = self.headers.get("Content-Length", "")
        if not _DIGITS.fullmatch(length):
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "results have a Content-Length")
        if int(length) > MOST_BYTES:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"results have {MOST_BYTES} bytes at most")
        try:
            return self.rfile.read(int(length)).decode()
        except UnicodeDecodeError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "results are UTF-8") from error

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body)), **_HEADERS}
        if self.close_connection:
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
