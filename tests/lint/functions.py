"""Finds functions and prototypes in C, well enough for code that clang-format has seen."""

import collections
import functools
import re

import files

Function = collections.namedtuple("Function", "file name line lines parameters depth")
Prototype = collections.namedtuple("Prototype", "file name first last")

CONTROL = {"if", "for", "while", "switch", "return", "sizeof", "do", "else"}
HEAD = re.compile(r"([A-Za-z_]\w*)\s*\(")


def closing(code, start, pair):
    """Where the bracket that opens at start is closed."""
    depth = 0
    for i in range(start, len(code)):
        depth += (code[i] == pair[0]) - (code[i] == pair[1])
        if depth == 0:
            return i
    return len(code) - 1


def count_parameters(parameters):
    depth, count = 0, 1
    for character in parameters:
        depth += (character in "([{") - (character in ")]}")
        count += character == "," and depth == 0
    return 0 if parameters.strip() in ("", "void") else count


def head_of(statement):
    """Name and parameters of the function that a declaration or definition begins with."""
    for match in HEAD.finditer(statement):
        if match.group(1) not in CONTROL | {"__attribute__", "PRINTF_LIKE"}:
            end = closing(statement, match.end() - 1, "()")
            return match.group(1), statement[match.end() : end]
    return None, ""


def top_level(code):
    """Statements outside of braces: text, start, end, and the end of the block that follows."""
    start, i = 0, 0
    while i < len(code):
        if code[i] == "(":
            i = closing(code, i, "()")
        elif code[i] == ";":
            yield code[start:i], start, i, None
            start = i + 1
        elif code[i] == "{":
            end = closing(code, i, "{}")
            if code[start:i].rstrip().endswith(")") and "=" not in code[start:i].split("(")[0]:
                yield code[start:i], start, i, end
                start = end + 1
            i = end
        i += 1


def depth_of(body):
    """How deep the blocks of a body are nested."""
    depth = deepest = 0
    for character in body:
        depth += (character == "{") - (character == "}")
        deepest = max(deepest, depth)
    return deepest - 1


@functools.lru_cache(maxsize=None)
def functions(name):
    """All definitions of a file."""
    code, found = files.flat_code_of(name), []
    for statement, start, brace, end in top_level(code):
        function, parameters = head_of(statement)
        if end is None or not function:
            continue
        first = start + len(statement) - len(statement.lstrip())
        line = code.count("\n", 0, first)
        lines = code.count("\n", first, end) + 1
        depth = depth_of(code[brace : end + 1])
        count = count_parameters(parameters)
        found.append(Function(name, function, line + 1, lines, count, depth))
    return found


@functools.lru_cache(maxsize=None)
def prototypes(name):
    """All functions that a header declares, without those it defines; lines from 0."""
    code, found = files.flat_code_of(name), []
    for statement, start, end, block in top_level(code):
        body = statement.strip()
        if block or body.startswith("typedef") or "{" in body or "(" not in body:
            continue
        if "=" in body.split("(")[0] or re.match(r"(extern )?(const )?\w+ \(\*", body):
            continue
        function, _ = head_of(body)
        if not function or function in ("_Static_assert", "static_assert"):
            continue
        first = code.count("\n", 0, start + len(statement) - len(statement.lstrip()))
        found.append(Prototype(name, function, first, code.count("\n", 0, end)))
    return found
