"""What the live comparisons share: a seed of their own every run, and leaving where PyTorch is not
installed.

DISTILL_TEST_SEED repeats a run; the seed is printed."""

import os
import random
import sys

SKIPPED = 77


def seed():
    """The seed of this process."""
    chosen = int(os.environ.get("DISTILL_TEST_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"DISTILL_TEST_SEED={chosen}", file=sys.stderr)
    return chosen


def require_torch():
    """Ends the process as skipped where PyTorch cannot be imported. Its threads wait passively:
    they have the processor for themselves neither beside the engine nor beside other tests."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import torch  # pylint: disable=import-outside-toplevel
    except ImportError as error:
        print(f"skipped: {error}")
        sys.exit(SKIPPED)
    torch.set_num_threads(2)
