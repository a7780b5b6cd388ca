#!/usr/bin/env python3
"""README.md and docs/: tables are up to date, links lead somewhere, the session is what happens.

Usage: DISTILL=build/distill DISTILLD=build/distilld test_docs.py
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import blocks
import session

sys.path.insert(0, str(blocks.ROOT / "tests/system"))
from material import write_dataset  # noqa: E402
from service import Service, executable  # noqa: E402

PAGES = [*blocks.PAGES, blocks.ROOT / "CONTRIBUTING.md", blocks.ROOT / "CHANGELOG.md",
         *(blocks.ROOT / name / "README.md" for name in ("docker", "recipes", "clients/curl", "clients/python"))]


def shape(value):
    """What stays the same when numbers and texts differ."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def shapes(output):
    """A shape for each line that is JSON, the line itself otherwise."""
    found = []
    for line in output.splitlines():
        try:
            found.append(shape(json.loads(line)))
        except ValueError:
            found.append(line)
    return found


class Pages(unittest.TestCase):
    def test_blocks_are_up_to_date(self):
        for page in blocks.PAGES:
            with self.subTest(page.name):
                self.assertEqual(page.read_text(), blocks.made(page.read_text()),
                                 "run tests/docs/blocks.py write")

    def test_every_block_is_somewhere(self):
        text = "".join(page.read_text() for page in blocks.PAGES)
        self.assertEqual(sorted(name for _, name, _ in blocks.BLOCK.findall(text)),
                         sorted(blocks.MAKERS))

    def test_links_lead_somewhere(self):
        for page in PAGES:
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
                with self.subTest(f"{page.name}: {target}"):
                    self.assertTrue("://" in target or (page.parent / target).exists())

    def test_anchors_are_headings(self):
        for page in PAGES:
            for path, anchor in re.findall(r"\]\(([\w./]*)#([^)]+)\)", page.read_text()):
                with self.subTest(f"{page.name}: {path}#{anchor}"):
                    self.assertIn(anchor, headings(page.parent / path if path else page))

    def test_files_that_are_named_exist(self):
        """Names in backquotes that begin with a folder of the project."""
        folders = "api|clients|cmake|docker|docs|engine|recipes|service|tests"
        for page in PAGES:
            for name in re.findall(rf"`((?:{folders})/[\w./-]+)`", page.read_text()):
                with self.subTest(f"{page.name}: {name}"):
                    self.assertTrue((blocks.ROOT / name).exists())


def headings(page):
    """The anchors of a page, as GitHub makes them of its headings."""
    return [re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
            for line in page.read_text().splitlines() if line.startswith("#")]


@unittest.skipUnless("DISTILLD" in os.environ and shutil.which("jq"), "needs the service and jq")
class Session(unittest.TestCase):
    def test_it_goes_as_the_readme_says(self):
        with Service() as service:
            dataset = write_dataset(service.folder / "tiny", train=64, test=32)
            steps = session.steps_of_readme()
            places = {"url": service.url, "distill": pathlib.Path(executable("distill")).resolve(),
                      "dataset": dataset}
            outputs = session.run([command for command, _ in steps], places, timeout_s=240)
        self.assertGreater(len(steps), 8)
        for (command, said), real in zip(steps, outputs):
            with self.subTest(command):
                self.assertEqual(shapes(real), shapes(said))

    def test_what_comes_after_it_without_the_service(self):
        text = blocks.ROOT.joinpath("README.md").read_text()
        script = re.search(r"## The same without the service\n\n((?:    .*\n)+)", text)[1]
        distill = str(pathlib.Path(executable("distill")).resolve())
        with tempfile.TemporaryDirectory(prefix="distill-readme-") as folder:
            dataset = write_dataset(pathlib.Path(folder) / "tiny", train=64, test=32)
            for paper, place in ((session.PAPER["dataset"], dataset), ("build/distill", distill)):
                self.assertIn(paper, script)
                script = script.replace(paper, str(place))
            done = subprocess.run(["sh", "-euc", script], cwd=folder, capture_output=True, text=True,
                                  timeout=240)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((said["file"], len(said["predictions"])), ("boot.png", 4))

    def test_the_service_starts_as_the_readme_says(self):
        text = blocks.ROOT.joinpath("README.md").read_text()
        role, *settings = re.search(r"\$ build/distilld (.*)", text)[1].split()
        arguments = dict(setting.split("=") for setting in settings)
        with Service(role, **{**arguments, "import_roots": "/tmp"}) as service:
            self.assertIn(f"distilld ready {service.url}", service.process.lines)
        self.assertRegex(text, r"\n    distilld ready http://127\.0\.0\.1:8080\n")


if __name__ == "__main__":
    unittest.main()
