from __future__ import annotations

import http.client
import json
import threading

import pytest

from musr_cli.errors import MusrError
from musr_cli.listening.server import MOST_BYTES, Collector, Server
from tests.listening.answers import preferring

PAGE = b"<!doctype html><title>Test</title>"
JSON = "application/json"


@pytest.fixture
def server(tmp_path):
    told: list[str] = []
    with Server(PAGE, Collector(tmp_path / "new" / "results", "0123456789ab", told.append)) as running:
        running.told = told
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server, method: str, path: str = "/", body: bytes | None = None, **headers: str):
    """Status, headers and body of the answer; `Content_Type` is a header, and "" leaves one out."""
    host, port = server.server_address[:2]
    connection = http.client.HTTPConnection(host, port, timeout=10)
    fields = {"Host": f"127.0.0.1:{port}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    if body is not None:
        fields.setdefault("Content-Length", str(len(body)))
    for name, value in fields.items():
        if value:
            connection.putheader(name, value)
    connection.endheaders()
    if body is not None:
        connection.send(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def send(server, file: object, **headers: str):
    fields = {"Content_Type": JSON, "Origin": f"http://127.0.0.1:{server.server_address[1]}", **headers}
    return ask(server, "POST", "/results", file if isinstance(file, bytes) else json.dumps(file).encode(), **fields)


def names(server) -> list[str]:
    return sorted(path.name for path in server.collector.folder.iterdir())


def test_only_this_machine_reaches_it(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_address[1]}/"


def test_the_page_is_shown(server):
    status, headers, content = ask(server, "GET")
    assert (status, content, headers["Content-Type"]) == (200, PAGE, "text/html; charset=utf-8")
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    status, headers, content = ask(server, "HEAD")
    assert (status, content, headers["Content-Length"]) == (200, b"", str(len(PAGE)))


def test_results_are_kept_and_told(server):
    file = preferring("Ann", 5)
    status, headers, content = send(server, file)
    assert (status, json.loads(content), headers["Content-Type"]) == (
        201,
        {"saved": "results-piano-restored-ann.json"},
        "application/json; charset=utf-8",
    )
    folder = server.collector.folder
    assert json.loads((folder / "results-piano-restored-ann.json").read_text()) == file
    assert server.told == [f"{folder / 'results-piano-restored-ann.json'}: results of Ann"]


def test_nothing_is_overwritten_and_nothing_leaves_the_folder(server):
    for name in ("Ann", "ann", "ANN", "../../ann", "/etc/ann", "ann\x00.json"):
        assert send(server, preferring(name, 5))[0] == 201
    assert names(server) == [
        "results-piano-restored-ann-2.json",
        "results-piano-restored-ann-3.json",
        "results-piano-restored-ann-4.json",
        "results-piano-restored-ann-json.json",
        "results-piano-restored-ann.json",
        "results-piano-restored-etc-ann.json",
    ]
    assert server.collector.saved[:2] == ["results-piano-restored-ann.json", "results-piano-restored-ann-2.json"]
    assert [path.name for path in server.collector.folder.parent.iterdir()] == ["results"]


def test_many_at_once_all_get_their_names(server):
    threads = [threading.Thread(target=send, args=(server, preferring("Ann", 5))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(server)) == 8


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/results", {}, 404),
        ("GET", "/../../etc/passwd", {}, 404),
        ("GET", "/?x", {}, 404),
        ("HEAD", "/other", {}, 404),
        ("POST", "/", {}, 404),
        ("PUT", "/results", {}, 501),
        ("DELETE", "/", {}, 501),
        ("OPTIONS", "/results", {}, 501),
        ("GET", "/", {"Host": "evil.example"}, 403),
        ("GET", "/", {"Host": "127.0.0.1.evil.example:80"}, 403),
        ("GET", "/", {"Host": ""}, 403),
        ("GET", "/", {"Host": "[::"}, 403),
        ("GET", "/", {"Host": "localhost@evil.example"}, 403),
    ],
)
def test_other_requests_are_refused_in_one_line(server, method, path, headers, status):
    found, answered, content = ask(server, method, path, b"" if method == "POST" else None, **headers)
    assert found == status
    assert content.count(b"\n") == (method != "HEAD")
    assert answered["Content-Type"] == "text/plain; charset=utf-8"
    assert names(server) == []


def test_it_answers_as_localhost_and_behind_tunnels(server):
    assert ask(server, "GET", Host="localhost:1234")[0] == 200
    assert ask(server, "GET", Host="127.0.0.1")[0] == 200
    assert send(server, preferring("Ann", 5), Host="localhost:1234", Origin="http://localhost:1234")[0] == 201


@pytest.mark.parametrize(
    ("file", "headers", "status", "told"),
    [
        (b"{}", {}, 400, b"it has no 'format'"),
        (b"\xff", {}, 400, b"UTF-8"),
        (b"[" * 50_000, {}, 400, b"no JSON"),
        ({**preferring("Ann", 5), "schema": 9}, {}, 400, b"schema 9"),
        (json.dumps(preferring("Ann", 5)).replace("0123456789ab", "other").encode(), {}, 400, b"another test"),
        (preferring("Ann", 5), {"Origin": "http://evil.example"}, 403, b"page of this server"),
        (preferring("Ann", 5), {"Origin": "null"}, 403, b"page of this server"),
        (preferring("Ann", 5), {"Origin": ""}, 403, b"page of this server"),
        (preferring("Ann", 5), {"Content_Type": "text/plain"}, 415, b"application/json"),
        (b"", {"Content_Length": str(MOST_BYTES + 1)}, 413, b"at most"),
        (b"", {"Content_Length": "9" * 5000}, 411, b"Content-Length"),
        (b"", {"Content_Length": "-1"}, 411, b"Content-Length"),
        (b"", {"Content_Length": ""}, 411, b"Content-Length"),
    ],
)
def test_anything_but_results_of_this_test_from_this_page_is_refused(server, file, headers, status, told):
    found, _, content = send(server, file, **headers)
    assert (found, content.count(b"\n")) == (status, 1)
    assert told in content
    assert names(server) == []
    # and it goes on
    assert ask(server, "GET")[0] == 200


def test_a_port_that_is_taken_says_so(server, tmp_path):
    port = server.server_address[1]
    with pytest.raises(MusrError, match=f"--port {port}: .*; leave it out"):
        Server(PAGE, Collector(tmp_path, "0123456789ab"), port)


def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MusrError, match="file"):
        Collector(tmp_path / "file", "0123456789ab")
