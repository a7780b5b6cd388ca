"""What the client makes of services and proxies in trouble."""

import hashlib
import pickle
import socket
import threading

import pytest

from answers import Answers
from distilld import Client, DistilldError, JobFailed, ProblemError, ServiceUnreachable
from distilld.events import read_lines
from distilld.files import batches

LATER = (429, {"Retry-After": "0"}, b"{}")
AWAY = (503, {"Retry-After": "0"}, b"{}")
CUT = (200, {"ETag": '"x"', "Content-Length": 100}, b"weights")
DAMAGED = (200, {"ETag": f'"{hashlib.sha256(b"weights").hexdigest()}"'}, b"wEights")
WHOLE = (200, DAMAGED[1], b"weights")
WEAK = (200, {"ETag": "W/" + DAMAGED[1]["ETag"]}, b"weights")
UNTAGGED = (200, {}, b"weights")
GONE = (204, {}, b"")


@pytest.mark.parametrize("answer, error, methods", [
    (DAMAGED, DistilldError, ["download"]),
    (UNTAGGED, DistilldError, ["download"]),
    (CUT, ServiceUnreachable, ["download", "export", "download_checkpoint", "download_predictions"]),
    (AWAY, ProblemError, ["download", "export", "download_checkpoint", "download_predictions"])])
def test_a_file_stays_until_the_new_one_is_whole(tmp_path, answer, error, methods):
    path = tmp_path / "weights"
    path.write_bytes(b"good")
    with Answers(answer) as server, Client(server.url, retries=0) as client:
        for method in methods:
            with pytest.raises(error):
                getattr(client, method)("id", path)
            assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"good"]


def test_a_download_is_asked_for_again(tmp_path):
    with Answers(AWAY, WHOLE, WEAK) as server, Client(server.url) as client:
        for asked in (2, 3):
            assert client.download("id", tmp_path / "weights").read_bytes() == b"weights"
            assert len(server.asked) == asked


def test_streams_of_a_service_that_is_not_there(tmp_path):
    with Client("http://127.0.0.1:9", retries=1) as absent:
        for ask in (lambda: absent.download("x", tmp_path / "x"),
                    lambda: absent.export("x", tmp_path / "x"),
                    lambda: list(absent.predictions("x")), lambda: list(absent.events("x"))):
            with pytest.raises(ServiceUnreachable):
                ask()


def test_what_was_not_done_is_sent_again(tmp_path):
    with Answers(LATER, GONE) as server, Client(server.url) as client:
        client.remove("x")
        assert server.asked == ["DELETE /jobs/x"] * 2
    with Answers(AWAY, GONE) as server, Client(server.url) as client:
        with pytest.raises(ProblemError):
            client.remove("x")
    (tmp_path / "w").write_bytes(b"w")
    with Answers(LATER) as server, Client(server.url) as client:
        with pytest.raises(ProblemError):
            client.upload(tmp_path / "w", "resnet8")
        assert len(server.asked) == 1


def test_what_was_not_sent_is_sent_again():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    begun = []
    timer = threading.Timer(0.3, lambda: begun.append(Answers(GONE, port=port).__enter__()))
    timer.start()
    with Client(f"http://127.0.0.1:{port}", retries=8) as client:
        client.remove("x")
    timer.join()
    begun[0].__exit__()
    assert begun[0].asked == ["DELETE /jobs/x"]


@pytest.mark.parametrize("body", [
    "[]", "null", '"no"', "7", "<html>", '{"errors": [{"message": "x"}]}', '{"errors": "x"}',
    '{"errors": ["x", null]}', '{"errors": {"x": 1}}', '{"detail": null}'])
def test_a_refusal_that_is_no_problem(body):
    with Answers((502, {}, body.encode())) as server, Client(server.url) as client:
        with pytest.raises(ProblemError, match="502: .") as caught:
            client.job("x")
        assert (caught.value.status, caught.value.errors) == (502, [])


def test_errors_are_pickled():
    problem = {"title": "t", "detail": "d", "errors": [{"field": "f", "detail": "wrong"}]}
    one = pickle.loads(pickle.dumps(ProblemError(422, problem)))
    assert (str(one), one.status, one.errors) == ("422: wrong", 422, problem["errors"])
    other = pickle.loads(pickle.dumps(JobFailed({"id": "x", "state": "cancelled"})))
    assert (str(other), other.job["id"]) == ("x cancelled: cancelled", "x")


def test_an_id_stays_one_part_of_a_path():
    with Answers(GONE) as server, Client(server.url) as client:
        for name in ("prod#2", "a?b", "a/../b", "%41", "a b", "ü"):
            client.remove_alias(name)
        assert server.asked == [f"DELETE /aliases/{name}" for name in (
            "prod%232", "a%3Fb", "a%2F..%2Fb", "%2541", "a%20b", "%C3%BC")]


def test_lists_are_read_by_large_pages():
    page = (200, {}, b'{"items": [], "next": null}')
    with Answers(page) as server, Client(server.url) as client:
        assert list(client.jobs(state="queued")) == []
        assert server.asked == ["GET /jobs?limit=200&state=queued"]


def test_lines_end_at_line_feeds_alone():
    text = 'a\u2028b\r\n\nc\x85d\n{"e": "ü"}'.encode()
    for size in (1, 3, 100):
        blocks = [text[i:i + size] for i in range(0, len(text), size)]
        assert list(read_lines(blocks)) == ["a\u2028b", "", "c\x85d", '{"e": "ü"}']
    with Answers((200, {}, '{"label": "a\u2028b"}\n'.encode())) as server, Client(server.url) as client:
        assert list(client.predictions("x")) == [{"label": "a\u2028b"}]


def test_requests_hold_so_many_pictures_and_bytes():
    assert list(map(len, batches([b""] * 130))) == [64, 64, 2]
    assert list(map(len, batches([bytes(10 << 20)] * 5))) == [2, 2, 1]
    assert list(map(len, batches([b"x", bytes(40 << 20), b"x"]))) == [1, 1, 1]
