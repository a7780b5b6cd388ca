"""What tests of jobs share: a service with a small data set, and short words for what they do."""

from material import add_dataset, job, points_of
from service import ServiceCase, wait_until

LONG = {"epochs": 3000}
NO_JOB = "job_01ARZ3NDEKTSV4RRFFQ69G5FAV"


class JobCase(ServiceCase):
    """A service with the data set `tiny`."""

    SETTINGS = {}

    @classmethod
    def setUpClass(cls):
        cls.service = cls.start(**{"device": "ref", "lease_ms": 3000, **cls.SETTINGS})
        cls.imported = add_dataset(cls.service)

    def submit(self, **fields):
        answer = self.service.post("/jobs", job(**fields))
        self.assertEqual(answer.status, 201, answer)
        return answer.json()["id"]

    def succeed(self, **fields):
        """Submits a job and waits for its success."""
        found = self.service.wait_for_job(self.submit(**fields))
        self.assertEqual(found["state"], "succeeded", found)
        return found

    def wait_for_state(self, job_id, state):
        return wait_until(lambda: self.show(job_id)["state"] == state, what=f"{job_id} {state}")

    def wait_for_points(self, job_id, count=1):
        wait_until(lambda: len(points_of(self.service, job_id)) >= count, what="points")

    def show(self, job_id):
        return self.service.get(f"/jobs/{job_id}").json()

    def finish(self, *job_ids):
        """Cancels jobs that a test has left, so that the next one finds a free worker."""
        for job_id in job_ids:
            self.service.post(f"/jobs/{job_id}/cancel")
            self.service.wait_for_job(job_id)
