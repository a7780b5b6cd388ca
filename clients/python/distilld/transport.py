"""Requests to the service: sent again where that is safe, refusals as errors, lists page by page."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional, TypeVar
from urllib.parse import quote

import httpx

from .errors import ProblemError, ServiceUnreachable

DEFAULT_URL = "http://127.0.0.1:8080"
COME_BACK_LATER = (429, 503)
NEVER_DONE = (429,)  # refused before anything was done
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
PAGE_ITEMS = 200
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

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return self._send(method, path, **arguments)

    @contextmanager
    def _stream(self, path: str, **arguments: Any) -> Iterator[httpx.Response]:
        """An answer that is read as it arrives; what breaks off then is not asked for again."""
        response = self._send("GET", path, stream=True, **arguments)
        try:
            yield response
        except httpx.TransportError as error:
            raise ServiceUnreachable(f"{self.url}: {error}") from error
        finally:
            response.close()

    def _send(self, method: str, path: str, *, safe: bool = True, stream: bool = False,
              retries: Optional[int] = None, **arguments: Any) -> httpx.Response:
        """Sends a request, again where the service cannot answer now and that does no harm: it is
        safe, or has had no effect, and its body is not read from a file."""
        most = self.retries if retries is None else retries
        if not isinstance(arguments.get("content", b""), (bytes, str)):
            most = 0
        attempt = 0
        while True:
            attempt += 1
            is_last = attempt > most
            try:
                request = self._http.build_request(method, path, **arguments)
                response = self._http.send(request, stream=stream)
                if not response.is_success:
                    response.read()
            except httpx.TransportError as error:
                if is_last or not (safe or isinstance(error, NEVER_SENT)):
                    raise ServiceUnreachable(f"{self.url}: {error}") from error
                time.sleep(pause_s(attempt))
                continue
            if response.is_success:
                return response
            code = response.status_code
            if is_last or code not in (COME_BACK_LATER if safe else NEVER_DONE):
                raise problem_of(response)
            time.sleep(pause_s(attempt, response.headers.get("Retry-After")))

    def _pages(self, path: str, params: Dict[str, Any]) -> Iterator[Any]:
        params = {"limit": PAGE_ITEMS, **params}
        while True:
            page = self._json("GET", path, params=params)
            yield from page["items"]
            if page["next"] is None:
                return
            params["after"] = page["next"]


def path_of(*parts: str) -> str:
    """The path of these parts; whatever stands in one, it stays one."""
    return "".join("/" + quote(part, safe="") for part in parts)


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
