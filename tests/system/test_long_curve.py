#!/usr/bin/env python3
"""A curve of as many points as one answer may have: it is complete in each form, and nobody else
waits for it."""

import concurrent.futures
import time
import unittest

from material import Stream, add_dataset, job
from service import PATIENCE, Redis, ServiceCase

POINTS = 100000
FILL = """for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
    redis.call('XADD', KEYS[1], i .. '-0', 'at', ARGV[3], 'point', ARGV[4])
end"""


class LongCurveTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        """The last point of a short curve, again and again."""
        cls.redis = Redis().start()
        cls.addClassCleanup(cls.redis.stop)
        cls.service = cls.start(redis=cls.redis.url, threads=1)
        add_dataset(cls.service)
        cls.job_id = cls.service.post("/jobs", job()).json()["id"]
        cls.service.wait_for_job(cls.job_id)
        key = "{distill}:points:" + cls.job_id
        last, (_, at, _, point) = cls.redis.command("XRANGE", key, "-", "+")[-1]
        first = int(last.split("-")[0]) + 1
        cls.redis.command("EVAL", FILL, "1", key, str(first), str(POINTS), at, point)

    def ask(self, query, method="GET"):
        answer = self.service.request(method, f"/jobs/{self.job_id}/metrics?{query}")
        self.assertEqual(answer.status, 200)
        return answer

    def test_nobody_waits(self):
        """Other requests are answered while it is written; HEAD, as sending it takes time as well."""
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            for form in ("json", "csv"):
                answer = executor.submit(self.ask, f"format={form}", "HEAD")
                time.sleep(0.2)
                for _ in range(20):
                    self.assertEqual(self.service.get("/healthz").status, 200)
                self.assertFalse(answer.done())
                answer.result()

    def test_json(self):
        curve = self.ask("format=json").json()
        self.assertEqual([point["seq"] for point in curve["points"]], list(range(1, POINTS + 1)))
        self.assertEqual(curve["next"], POINTS)

    def test_csv(self):
        lines = self.ask("format=csv").body.decode().splitlines()
        self.assertEqual([line.split(",")[0] for line in lines],
                         ["seq", *map(str, range(1, POINTS + 1))])

    def test_a_part(self):
        for limit in (1, 499, 500, 501, 10499, 10500, 10501):
            path = f"/jobs/{self.job_id}/metrics?since=1000&limit={limit}"
            curve = self.service.get(path).json()
            self.assertEqual((len(curve["points"]), curve["next"]), (limit, 1000 + limit))

    def test_live(self):
        """What is there already comes without waiting in between."""
        start = time.monotonic()
        *points, (_, event, _) = Stream(self.service, self.job_id)
        self.assertEqual((len(points), event), (POINTS, "end"))
        self.assertLess(time.monotonic() - start, 100 * PATIENCE)


if __name__ == "__main__":
    unittest.main()
