"""What the client makes of services and proxies in trouble."""

import pickle

import pytest

from answers import Answers
from distilld import Client, JobFailed, ProblemError


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
