"""registers.py REPORT...: what ptxas says of the kernels: none spills, none needs too many registers."""

import pathlib
import re
import sys

MOST = 128  # of a thread: a block of 512 then fits a multiprocessor
LINE = re.compile(r"(?s)Compiling entry function '(\w+)' for '(\w+)'.*?(\d+) bytes stack frame, "
                  r"(\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers")


def main():
    faults, kernels, top = [], 0, (0, "")
    for name in sys.argv[1:]:
        text = pathlib.Path(name).read_text(encoding="utf-8", errors="replace")
        for kernel, target, stack, stores, loads, registers in LINE.findall(text):
            kernels += 1
            top = max(top, (int(registers), kernel))
            if int(stack) + int(stores) + int(loads):
                faults.append(f"{kernel} ({target}): stack {stack}, spills {stores} and {loads} bytes")
            if int(registers) > MOST:
                faults.append(f"{kernel} ({target}): {registers} registers, at most {MOST}")
    if kernels < len(sys.argv) - 1 or not kernels:
        faults.append("the reports do not tell of the kernels")
    print("\n".join(faults) or f"{kernels} kernels, none spills; {top[1]} has {top[0]} registers")
    return 1 if faults else 0


sys.exit(main())
