"""Requests to the service: sent again where that is safe, refusals as errors, lists page by page."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional, TypeVar

import httpx

from .errors import ProblemError, ServiceUnreachable

DEFAULT_URL = "http://127.0.0.1:8080"
COME_BACK_LATER = (429, 503)
LONGEST_PAUSE_S = 10.0

T = TypeVar("T", bound="Transport")


class Transport:
    """The connections to one service. May be used by several threads."""

    def __init__(self, url: Optional[str] = None, *, key: Optional[str] = None,
                 timeout: float = 60.0, retries: int = 4):
        self.url = (url or os.environ.get("DISTILLD_URL") or DEFAULT_URL).rstrip("/")
        self.retries = retries
        self.timeout = timeout
        key = key or os.environ.get("DISTILLD_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout)

    def __enter__(self: T) -> T:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _json(self, method: str, path: str, **arguments: Any) -> Any:
        return self._request(method, path, **arguments).json()

    def _request(self, method: str, path: str, *, safe: bool = True,
                 **arguments: Any) -> httpx.Response:
        """Sends a request, again if it is safe and the service cannot answer now."""
        attempt = 0
        while True:
            attempt += 1
            is_last = not safe or attempt > self.retries
            try:
                response = self._http.request(method, path, **arguments)
            except httpx.TransportError as error:
                if is_last:
                    raise ServiceUnreachable(f"{self.url}: {error}") from error
                time.sleep(pause_s(attempt))
                continue
            if response.is_success:
                return response
            if is_last or response.status_code not in COME_BACK_LATER:
                raise problem_of(response)
            time.sleep(pause_s(attempt, response.headers.get("Retry-After")))

    @contextmanager
    def _stream(self, path: str, **arguments: Any) -> Iterator[httpx.Response]:
        """An answer that is read as it arrives; asked for once."""
        with self._http.stream("GET", path, **arguments) as response:
            if response.status_code != 200:
                response.read()
                raise problem_of(response)
            yield response

    def _pages(self, path: str, params: Dict[str, Any]) -> Iterator[Any]:
        params = dict(params)
        while True:
            page = self._json("GET", path, params=params)
            yield from page["items"]
            if page["next"] is None:
                return
            params["after"] = page["next"]


def pause_s(attempt: int, retry_after: Optional[str] = None) -> float:
    """How long to wait before a request is sent again."""
    if retry_after and retry_after.isdigit():
        return min(float(retry_after), LONGEST_PAUSE_S)
    return min(0.2 * 2.0 ** attempt, LONGEST_PAUSE_S)


def problem_of(response: httpx.Response) -> ProblemError:
    """The error of an answer, also of one that is no problem details (a proxy's, say)."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": response.text[:400]}
    return ProblemError(response.status_code, {"title": response.reason_phrase, **problem})
