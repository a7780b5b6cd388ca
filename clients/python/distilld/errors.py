"""What can go wrong."""

from __future__ import annotations

from typing import Any, List, Mapping

from .types import FieldError, Job


class DistilldError(Exception):
    """Anything that this package raises."""


class ServiceUnreachable(DistilldError):
    """The service did not answer, also not when it was asked again."""


class ProblemError(DistilldError):
    """The service refused a request; the attributes are those of its problem details."""

    def __init__(self, status: int, problem: Mapping[str, Any]):
        self.status = status
        self.type: str = str(problem.get("type", "about:blank"))
        self.title: str = str(problem.get("title", ""))
        self.detail: str = str(problem.get("detail") or self.title)
        self.errors: List[FieldError] = _field_errors(problem.get("errors"))
        details = [error["detail"] for error in self.errors] or [self.detail]
        super().__init__(f"{status}: " + "; ".join(details))
        self._arguments = status, problem

    def __reduce__(self) -> Any:
        """Pickles call a class with `args`, the message, unless they are told better."""
        return type(self), self._arguments


def _field_errors(found: Any) -> List[FieldError]:
    """Those of the service; what a proxy calls errors may be anything."""
    items = found if isinstance(found, list) else []
    return [item for item in items if isinstance(item, dict) and isinstance(item.get("detail"), str)]


class WrongSignature(DistilldError):
    """A message that claims to be a webhook's is not signed with its secret, or is too old."""


class JobFailed(DistilldError):
    """A job that was waited for failed or was cancelled."""

    def __init__(self, job: Job):
        self.job = job
        error = job.get("error") or {}
        reason = error.get("message") or job["state"]
        super().__init__(f"{job['id']} {job['state']}: {reason}")

    def __reduce__(self) -> Any:
        return type(self), (self.job,)
