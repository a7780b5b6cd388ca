#!/usr/bin/env python3
"""Kills a process right before and right after every row of the table of transitions: the one whose
call to Redis carries the row out. Whoever comes after it finishes the job as if nothing had been. And
freezes it right before for longer than a lease: what it writes when it thaws is refused, if another
has taken over.

    test_transitions.py [PART PARTS [EVENT...]]    every PARTS-th row only, of these events only

A row that has no such place in the code is a failure: the process would not die."""

import concurrent.futures
import contextlib
import http.client
import shutil
import sys
import tempfile
import time
import traceback

from scene import BEYOND_LEASE_S, LEASE_MS, SPEC, Scene, transitions, wait_until

LONG = ("frozen", "cut")  # so long that another takes over meanwhile
SHORT_S = 0.5
NOT_RECORDED = ("renew", "progress", "remove")  # transitions that are no events
# What a disturbed server may say: what it always says, or that it cannot now.
ANSWERS = (200, 201, 204, 503, 507)
# Those after which the request is made again; they look at the row before that.
BY_USER = ("submit", "cancel", "pause", "resume", "retry", "edit", "remove", "forsake")


class Case:
    """One row, and what happens to the process right before it (or after): it dies, or one of the
    scene's disturbances. Each method named after an event brings that about."""

    def __init__(self, scene, row, when):
        self.scene, self.when = scene, when
        self.event, self.state, self.wish, self.to, self.wish_then = row
        self.job = self.runner = self.end_disturbance = None

    # Where it begins

    def call(self, path, method="POST", body=None):
        answer = self.scene.service.request(method, f"/jobs/{self.job}{path}", body)
        assert answer.status in (200, 204), answer

    def make_wish(self):
        if self.wish != "none":
            self.call(f"/{self.wish}")

    def run(self, place="progress.before", **fields):
        """A worker runs the job, and stands still at a place."""
        self.runner = self.scene.actor()
        self.runner.arm(place, "stop")
        self.runner.start()
        self.job = self.scene.submit(**fields)
        self.runner.wait_until_stopped()
        self.make_wish()

    def reach(self, **fields):
        """The job comes into the row's state."""
        if self.state == "running":
            return self.run(**fields)
        self.job = self.scene.submit(**fields)
        if self.state == "paused":
            self.call("/pause")
        elif self.state == "cancelled":
            self.call("/cancel")
        elif self.state == "succeeded":
            self.scene.worker().start()
            self.scene.wait_for_state(self.job, "succeeded")
        elif self.state == "failed":
            self.fail_of_lost_workers()
        return None

    def fail_of_lost_workers(self):
        first = self.scene.worker()
        first.arm("progress.before", "kill")
        first.start().wait_until_dead()
        last = self.scene.worker(max_lost=1).start()
        self.scene.wait_for_state(self.job, "failed")
        last.end()

    # Where it befalls

    def befall(self, actor, place=None):
        """It stands still right before."""
        if self.when == "before":
            actor.kill()
        elif self.when == "after":
            actor.arm(f"{place or self.event}.after", "kill")
            actor.go_on()
            actor.wait_until_dead()
        else:
            self.disturb(actor)

    def disturb(self, actor):
        """A long one of a worker ends when another has taken over."""
        begin, end = self.scene.disturbances()[self.when]
        begin(actor)
        time.sleep(BEYOND_LEASE_S if self.when in LONG else SHORT_S)
        if self.when in LONG and actor.kind == "worker":
            self.end_disturbance = lambda: end(actor)
        else:
            end(actor)

    def at(self, place, **fields):
        self.run(f"{place}.before", **fields)
        self.befall(self.runner)

    def renew(self):
        self.at("renew")

    def progress(self):
        self.at("progress")

    def finish(self):
        self.at("finish")

    def fail(self):
        """The data set is not there while the worker looks for it."""
        folder = self.scene.data / "datasets" / "tiny"
        self.runner = self.scene.actor()
        self.runner.arm("claim.before", "stop")
        self.runner.start().wait_until_stopped()
        self.job = self.scene.submit()
        folder.rename(folder.with_name("elsewhere"))
        self.runner.arm("fail.before", "stop")
        self.runner.go_on()
        self.runner.wait_until_stopped()
        folder.with_name("elsewhere").rename(folder)
        self.make_wish()
        self.befall(self.runner)

    def claim(self):
        worker = self.scene.actor()
        worker.arm("claim.before", "stop")
        worker.start().wait_until_stopped()
        self.job = self.scene.submit()
        self.befall(worker)

    def release(self):
        """Because it is to end, or because of the wish."""
        self.run()
        self.runner.arm("release.before", "stop")
        if self.wish == "none":
            self.runner.process.signal(15)
        self.runner.go_on()
        self.runner.wait_until_stopped()
        self.befall(self.runner)

    def by_reaper(self, wait_s, reach, **settings):
        """Another worker stands right before its look for what is over, until it is."""
        if self.state == "running":
            reach()
        reaper = self.scene.actor(**settings)
        reaper.arm("reap.before", "stop")
        reaper.start().wait_until_stopped()
        if self.state != "running":
            reach()
        time.sleep(wait_s)
        self.befall(reaper, "reap")

    def reap(self):
        self.by_reaper(LEASE_MS / 1000 + 0.1, self.reach)

    def poison(self):
        self.by_reaper(LEASE_MS / 1000 + 0.1, self.reach, max_lost=1)

    def expire(self):
        limit = {"max_runtime_s": 1}
        if self.state != "running":
            soon = time.gmtime(time.time() + 2)
            limit = {"deadline": time.strftime("%Y-%m-%dT%H:%M:%SZ", soon)}
        self.by_reaper(2.1, lambda: self.reach(**limit))

    def by_server(self, request, place=None):
        server = self.scene.server
        place = place or self.event
        if self.when in ("before", "after"):
            server.arm(f"{place}.{self.when}", "kill")
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = request()
                raise AssertionError(f"the server lives: {answer}")
            server.wait_until_dead()
            server.start()
            return
        server.arm(f"{place}.before", "stop")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(request)
            server.wait_until_stopped()
            self.disturb(server)
            answer = waiting.result()
        assert answer.status in ANSWERS, answer

    def until_answered(self, method, path, body=None, headers=None):
        """Asks until it is not told to come again."""
        def answered():
            answer = self.scene.service.request(method, path, body, headers)
            return None if answer.status == 503 else answer
        return wait_until(answered, what=f"{method} {path}")

    def submit(self):
        key = {"Idempotency-Key": f"key-{time.monotonic_ns()}"}
        request = "/jobs", SPEC, key
        self.by_server(lambda: self.scene.service.request("POST", *request))
        answer = self.until_answered("POST", *request)
        self.job = answer.json()["id"]
        assert self.until_answered("POST", *request).json()["id"] == self.job

    def by_user(self, method, path, body=None, again=(200, 409)):
        """The request is made, and made again, as if it had never been answered."""
        self.reach()
        path = f"/jobs/{self.job}{path}"
        self.by_server(lambda: self.scene.service.request(method, path, body))
        self.check_row()
        answer = self.until_answered(method, path, body)
        assert answer.status in again, answer

    def cancel(self):
        self.by_user("POST", "/cancel")

    def pause(self):
        self.by_user("POST", "/pause")

    def resume(self):
        self.by_user("POST", "/resume")

    def retry(self):
        self.by_user("POST", "/retry")

    def edit(self):
        self.by_user("PATCH", "", {"name": "another"}, again=(200,))

    def remove(self):
        self.by_user("DELETE", "", again=(204, 404))

    def forsake(self):
        """The one that it depends on is cancelled."""
        first = self.scene.submit()
        self.reach(depends_on=[first])
        cancel = f"/jobs/{first}/cancel"
        self.by_server(lambda: self.scene.service.post(cancel), "cancel")
        self.check_row()
        assert self.until_answered("POST", cancel).status == 200

    # What must be so

    def has_happened(self):
        """Whether the row has been carried out, where that is certain."""
        if self.when in ("before", "after"):
            return self.when == "after"
        if self.event not in BY_USER:
            return False if self.when in LONG else None
        return True if self.when == "frozen" else None

    def check_row(self):
        happened = self.has_happened()
        if happened is None:
            return
        answer = self.scene.service.get(f"/jobs/{self.job}")
        expected = (self.to, self.wish_then) if happened else (self.state, self.wish)
        if answer.status == 404:
            assert expected[0] == "absent", expected
            return
        found = answer.json()
        assert (found["state"], found["requested"] or "none") == expected, (found, expected)
        if happened and self.event not in NOT_RECORDED:
            last = self.scene.service.job_events(self.job)[-1]
            assert last["event"] == self.event, last

    def take_over(self):
        """Another worker does what is to do with a job that nobody holds; then the disturbance ends."""
        found = self.scene.show(self.job)
        before = found["state"], found["attempt"]
        self.scene.worker().start()

        def is_taken():
            now = self.scene.show(self.job)
            return (now["state"], now["attempt"]) != before
        wait_until(is_taken, what="another takes over")
        self.end_disturbance()

    def check_end(self):
        if self.scene.service.get(f"/jobs/{self.job}").status == 404:
            assert self.event == "remove"
            wait_until(lambda: not list(self.scene.data.rglob(f"{self.job}*")),
                       what="its files are gone")
            return
        if self.end_disturbance:
            self.take_over()
        if self.runner:
            self.runner.disarm()
            if self.runner.process.is_running():
                self.runner.go_on()  # what it does not know yet: another may have its job
        self.scene.worker().start()
        found = self.scene.drive(self.job)
        self.scene.check(self.job)
        folder = self.scene.data / "jobs" / self.job
        if found["state"] != "failed":  # which may be retried
            self.scene.clear()
            self.scene.worker().start()  # sees what a killed one has left
            wait_until(lambda: not folder.exists(), what="its folder is gone")

    def carry_out(self):
        self.scene.clear()
        getattr(self, self.event)()
        if self.event not in BY_USER:
            self.check_row()
        self.check_end()


def run_cases(scene, rows, moments):
    """Every row at every moment; how many failed."""
    failed, count, start = 0, 0, time.monotonic()
    scene.learn()
    for row in rows:
        for when in moments:
            count += 1
            began = time.monotonic()
            try:
                Case(scene, row, when).carry_out()
                print(f"ok      {when} {' '.join(row)}: {time.monotonic() - began:.1f} s", flush=True)
            except Exception:  # the next ones are of interest too
                failed += 1
                print(f"FAILED  {when} {' '.join(row)}", flush=True)
                traceback.print_exc()
    print(f"{count - failed} passed, {failed} failed, {time.monotonic() - start:.0f} s")
    return failed


def run(scene_of, moments_of):
    """For the rows that the words of the command line leave."""
    part, parts = (int(word) for word in sys.argv[1:3]) if len(sys.argv) > 2 else (0, 1)
    only = sys.argv[3:]  # of these events
    rows = [row for row in transitions() if not only or row[0] in only][part::parts]
    folder = tempfile.mkdtemp(prefix="distill-chaos-")
    scene = scene_of(folder)
    try:
        return 1 if run_cases(scene, rows, moments_of(scene)) else 0
    finally:
        scene.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run(Scene, lambda scene: ["before", "after", *scene.disturbances()]))
