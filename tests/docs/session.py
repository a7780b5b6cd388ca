#!/usr/bin/env python3
"""Runs the session of README.md with curl against a service of its own.

    session.py URL DISTILL DATASET          prints the session as it really goes
    session.py URL DISTILL DATASET write    puts it into README.md

URL is a running service that may import DATASET. What stands in README.md is what Fashion-MNIST gives.
"""

import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
PROMPT = "$ "
PAPER = {"url": "http://127.0.0.1:8080", "distill": "build/distill",
         "dataset": "/usr/share/datasets/fashion-mnist"}


def is_whole(command):
    """Quotes are closed, and no backslash or pipe asks for another line."""
    try:
        shlex.split(command)
    except ValueError:
        return False
    return not command.rstrip().endswith(("\\", "|"))


def parse(block):
    """[(command, output)] of a session; a command may go over several lines."""
    steps = []
    for line in block.splitlines():
        if line.startswith(PROMPT):
            steps.append((line[len(PROMPT):], ""))
        elif steps and not steps[-1][1] and not is_whole(steps[-1][0]):
            steps[-1] = (steps[-1][0] + "\n" + line, "")
        else:
            command, output = steps[-1]
            steps[-1] = (command, output + line + "\n")
    return steps


def steps_of_readme():
    return parse(BLOCK.search(README.read_text())[1])


def run(commands, places, timeout_s=1800):
    """The output of each command; all run in one shell, with places put in for those of the paper."""
    with tempfile.TemporaryDirectory(prefix="distill-session-") as folder:
        for i, command in enumerate(commands):
            for name, place in places.items():
                command = command.replace(PAPER[name], str(place))
            commands[i] = f"{{ {command}\n}} >{i}.out"
        script = "set -eu\n" + "\n".join(commands) + "\n"
        subprocess.run(["sh", "-c", script], cwd=folder, check=True, timeout=timeout_s)
        return [(pathlib.Path(folder) / f"{i}.out").read_text() for i in range(len(commands))]


def main():
    url, distill, dataset = sys.argv[1:4]
    # the session runs in a folder of its own
    places = {"url": url, "distill": str(pathlib.Path(distill).resolve()), "dataset": dataset}
    commands = [command for command, _ in steps_of_readme()]
    outputs = run(list(commands), places)
    session = "".join(PROMPT + command + "\n" + output
                      for command, output in zip(commands, outputs))
    for name, place in places.items():
        session = session.replace(place, PAPER[name])
    if sys.argv[4:] == ["write"]:
        text = README.read_text()
        README.write_text(BLOCK.sub(lambda match: f"```console\n{session}```", text, count=1))
    else:
        print(session, end="")


if __name__ == "__main__":
    main()
