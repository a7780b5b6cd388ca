#!/usr/bin/env python3
"""Disturbs the machine right before every row of the table of transitions, while the process whose call
to Redis carries the row out goes on: Redis is killed, the process is cut from it for longer than a
lease, the disk is full, its clock jumps by an hour. Nothing may be lost by it.

    disturbed_transitions.py [PART PARTS [EVENT...]]    as test_transitions.py

What the machine does not allow is left out and said."""

import sys

from test_transitions import run
from world import World

WANTED = ("redis", "cut", "full", "ahead", "behind")


def moments(world):
    possible = world.disturbances()
    for name in WANTED:
        if name not in possible:
            print(f"left out: {name}: this machine does not allow it")
    return list(possible)


if __name__ == "__main__":
    sys.exit(run(World, moments))
