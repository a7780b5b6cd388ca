"""python3 -m distilld: weights from PyTorch at the command line.

    python3 -m distilld convert teacher.pth teacher.safetensors
    python3 -m distilld upload teacher.pth architecture=resnet32x4 dataset=cifar100

Nothing that a checkpoint names is ever run. upload takes .pth and .safetensors files and prints the
model as JSON; its other arguments are the parameters of POST /models, and DISTILLD_URL names the
service.
"""

from __future__ import annotations

import json
import sys
from typing import List

from .client import Client
from .errors import DistilldError
from .weights import pth_to_safetensors


def convert(arguments: List[str]) -> None:
    """convert SOURCE TARGET"""
    source, target = arguments
    tensors = pth_to_safetensors(source, target)
    print(f"{target}: {len(tensors)} tensors")


def upload(arguments: List[str]) -> None:
    """upload FILE KEY=VALUE..."""
    path, *fields = arguments
    with Client() as client:
        model = client.upload(path, **dict(field.split("=", 1) for field in fields))
    print(json.dumps(model))


COMMANDS = {"convert": convert, "upload": upload}


def main(arguments: List[str]) -> int:
    """Runs a command; the exit status."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        command(arguments[1:])
    except (ValueError, TypeError):
        print(f"usage: python3 -m distilld {command.__doc__}", file=sys.stderr)
        return 2
    except (DistilldError, OSError) as error:
        print(f"distilld: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
