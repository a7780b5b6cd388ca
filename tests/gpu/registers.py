"""registers.py REPORT...: what ptxas says of the kernels: none spills, and two blocks of each have
room for their registers on a multiprocessor."""

import pathlib
import re
import sys

REGISTERS = 65536  # of a multiprocessor
BLOCK = 256  # threads of most blocks; none has more unless its launch bounds say so
NARROW = {"attention": 128}  # kernels with smaller ones, by what is in their names
LINE = re.compile(r"(?s)Compiling entry function '(\w+)' for '(\w+)'.*?(\d+) bytes stack frame, "
                  r"(\d+) bytes spill stores, (\d+) bytes spill loads.*?Used (\d+) registers")


def most_registers(kernel):
    threads = next((threads for name, threads in NARROW.items() if name in kernel), BLOCK)
    return REGISTERS // 2 // threads


def main():
    faults, kernels, top = [], 0, (0, "")
    for name in sys.argv[1:]:
        text = pathlib.Path(name).read_text(encoding="utf-8", errors="replace")
        for kernel, target, stack, stores, loads, registers in LINE.findall(text):
            kernels += 1
            top = max(top, (int(registers), kernel))
            if int(stack) + int(stores) + int(loads):
                faults.append(f"{kernel} ({target}): stack {stack}, spills {stores} and {loads} bytes")
            most = most_registers(kernel)
            if int(registers) > most:
                faults.append(f"{kernel} ({target}): {registers} registers, at most {most}")
    if kernels < len(sys.argv) - 1 or not kernels:
        faults.append("the reports do not tell of the kernels")
    print("\n".join(faults) or f"{kernels} kernels, none spills; {top[1]} has {top[0]} registers")
    return 1 if faults else 0


sys.exit(main())
