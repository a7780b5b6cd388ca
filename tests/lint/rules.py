"""The rules. Each yields lines "file:line: what is wrong"."""

import os
import re
import shutil
import subprocess

import files
import functions

# Who may include whom, directly; what those may include comes with it.
BELOW = {
    "engine/base": [],
    "engine/spec": ["engine/base"],
    "engine/graph": ["engine/spec"],
    "engine/model": ["engine/graph"],
    "engine/data": ["engine/spec"],
    "engine/backend": ["engine/graph"],
    "engine/onnx": ["engine/backend", "engine/model"],
    "engine/session": ["engine/backend", "engine/model", "engine/data"],
    "engine/cli": ["engine/session", "engine/onnx"],
    "engine": ["engine/cli"],
    "api": ["engine/spec"],
    "service/common": ["engine/spec"],
    "service/store": ["api", "service/common", "engine/data", "engine/model"],
    "service/worker": ["service/store", "engine/session"],
    "service/webhook": ["service/store"],
    "service/http": ["service/store", "service/webhook", "engine/session", "engine/onnx"],
    "service/up": ["service/store"],
    "service": ["service/http", "service/worker", "service/up"],
}
# Third-party headers and the only folders that may include them.
FOREIGN = {
    r"microhttpd\.h": ["service/http"],
    r"hiredis/.*": ["service/store"],
    r"jansson\.h": ["api", "service/http"],
    r"(oneapi/)?dnnl.*": ["engine/backend/cpu"],
    r"(cuda|cudnn|cublas).*": ["engine/backend/cuda"],
    r"(turbojpeg|jpeglib|png|zlib)\.h": ["engine/data/with"],
    r"curl/.*": ["service/webhook"],
    r"gnutls/.*": ["service/http", "service/webhook"],  # TLS; signatures
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)
LIMITS = {".c": 500, ".h": 200}
LABEL = "(?:Ownership|Errors|Threads|Blocking|Units|Usage):"
CUDA = (".cu", ".cuh", ".cc")
FUNCTION_LINES, FUNCTION_PARAMETERS = 60, 6
GIVEN_SIGNATURES = {"on_request"}  # libmicrohttpd's MHD_AccessHandlerCallback
BANNED = {
    "strcpy": "str_copy",
    "strcat": "struct str",
    "strncpy": "str_copy",
    "strncat": "struct str",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "gets": "fgets",
    "strtok": "strcspn",
    "atoi": "str_parse_i64",
    "atol": "str_parse_i64",
    "atof": "str_parse_double",
    "sscanf": "str_parse_*",
    "localtime": "clock_format",
    "gmtime": "clock_format",
    "ctime": "clock_format",
    "asctime": "clock_format",
    "rand": "rng_philox",
    "srand": "rng_philox",
    "random": "rng_philox",
    "alloca": "an array of fixed size",
    "tmpnam": "mkdtemp",
    "assert": "CHECK",
}
# Built from parts, so that this file does not break its own rule.
MACHINE_PATHS = re.compile("/(?:wo" + "rk|ro" + "ot)/")
UNNUMBERED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b(?!.*#\d)")


def folder_of(name):
    """The layer a file is in, or nothing for tests and clients."""
    folder = os.path.dirname(name)
    while folder and folder not in BELOW:
        folder = os.path.dirname(folder)
    return folder


def reachable(layer):
    found, waiting = {layer}, list(BELOW[layer])
    while waiting:
        below = waiting.pop()
        if below not in found:
            found.add(below)
            waiting += BELOW[below]
    return found


def includes(name):
    """Line, whether it is one of ours, and what is included; comments do not count."""
    text, code = files.text_of(name), files.code_of(name)
    for match in INCLUDE.finditer(text):
        if code[match.start() : match.end()].strip().startswith("#"):
            line = text.count("\n", 0, match.start()) + 1
            yield line, match.group(1) == '"', match.group(2)


def foreign_include(name, header):
    for pattern, folders in FOREIGN.items():
        allowed = any(os.path.dirname(name) == folder for folder in folders)
        allowed = allowed or any(name.startswith(folder + "/") for folder in folders)
        if re.fullmatch(pattern, header) and not allowed:
            return f"<{header}> belongs to {' and '.join(folders)}"
    return None


def own_include(name, header):
    layer, target = folder_of(name), folder_of(header)
    if not (files.ROOT / header).is_file():
        return f'"{header}" is no path from the root'
    if target not in reachable(layer):
        return f"{layer} may not include {target or 'tests'}"
    if header.endswith("_internal.h") and folder_of(header) != layer:
        return f"{header} is private to its folder"
    return None


def layers():
    """Includes point downwards; a third-party header is included in one folder."""
    for name in files.c_names():
        if not folder_of(name):
            continue
        for line, own, header in includes(name):
            wrong = own_include(name, header) if own else foreign_include(name, header)
            if wrong:
                yield f"{name}:{line}: {wrong}"


def lengths():
    """Files and functions are short, functions take few parameters."""
    for name in files.c_names():
        lines, limit = files.text_of(name).count("\n"), LIMITS[os.path.splitext(name)[1]]
        if lines > limit:
            yield f"{name}:1: {lines} lines, at most {limit}"
        for function in functions.functions(name):
            place = f"{name}:{function.line}: {function.name}"
            if function.lines > FUNCTION_LINES:
                yield f"{place} has {function.lines} lines, at most {FUNCTION_LINES}"
            if function.parameters > FUNCTION_PARAMETERS and function.name not in GIVEN_SIGNATURES:
                yield f"{place} has {function.parameters} parameters, at most {FUNCTION_PARAMETERS}"


def has_comment(prototype, lines, some, whole):
    """On its own lines, above it, or above the group of prototypes it stands in."""
    if some.intersection(range(prototype.first, prototype.last + 1)):
        return True
    line = prototype.first - 1
    while line >= 0 and lines[line].strip():
        if line in whole:
            return True
        line -= 1
    return False


def headers():
    """A header says what it is; its guard is its path; every prototype outside of tests has a
    sentence."""
    for name in files.c_names():
        if not name.endswith(".h"):
            continue
        text = files.text_of(name)
        if not text.startswith(f"/*\n * {os.path.basename(name)} - "):
            yield f"{name}:1: does not begin with its name and purpose"
        guard = re.sub(r"[/.]", "_", name).upper()
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            yield f"{name}:1: its guard is not {guard}"
        some, whole = files.comment_lines(name)
        lines = text.split("\n")
        for prototype in functions.prototypes(name) if folder_of(name) else []:
            if not prototype.name.isupper() and not has_comment(prototype, lines, some, whole):
                yield f"{name}:{prototype.first + 1}: {prototype.name} has no comment"


def labels():
    """Labels of a header's first comment begin lines, and what they say stands in one column."""
    for name in files.c_names():
        if not name.endswith(".h"):
            continue
        column = 0
        for number, line in enumerate(files.text_of(name).partition("\n */")[0].split("\n"), 1):
            begin = re.match(LABEL + " +", line[len(" * ") :])
            if re.search(r"\S +" + LABEL + " ", line[len(" * ") :]):
                yield f"{name}:{number}: a label in the middle of a line"
            if line == " *":
                column = 0
            elif begin or column:
                found = len(re.match(r" \* (" + LABEL + ")? *", line).group(0))
                if column and found != column:
                    yield f"{name}:{number}: not in the column of the label above"
                column = column or found


def banned_functions():
    """Functions that a safer one of ours replaces, outside of tests."""
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
    for name in filter(folder_of, files.c_names()):
        code = files.code_of(name)
        for match in pattern.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: {match.group(1)}: use {BANNED[match.group(1)]}"


def words():
    """No paths of one machine, no open ends without an issue's number, no stray white space."""
    for name in files.names():
        for number, line in enumerate(files.text_of(name).split("\n"), 1):
            if MACHINE_PATHS.search(line):
                yield f"{name}:{number}: a path of one machine"
            if UNNUMBERED.search(line):
                yield f"{name}:{number}: an open end without an issue's number"
            if name.endswith((".c", ".h", ".py", ".sh", ".lua", *CUDA)) and line != line.rstrip():
                yield f"{name}:{number}: white space at the end"


def formatting():
    """clang-format changes nothing. Major versions differ, so it is one of them."""
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    version = program and subprocess.run([program, "--version"], capture_output=True, text=True)
    if not version or "version 14." not in version.stdout:
        print("formatting: skipped, there is no clang-format 14")
        return
    kernels = [name for name in files.names() if name.endswith(CUDA)]
    command = [program, "--dry-run", *files.c_names(), *kernels]
    done = subprocess.run(command, cwd=files.ROOT, capture_output=True, text=True, check=False)
    changed = re.findall(r"^(\S+?):(\d+):\d+: warning: ", done.stderr, re.MULTILINE)
    first = {}
    for name, line in changed:
        first.setdefault(name, line)
    yield from (f"{name}:{line}: not as clang-format has it" for name, line in first.items())


def shell_scripts():
    """shellcheck finds nothing."""
    scripts = [name for name in files.names() if re.match(r"#!.*\b(ba|da)?sh\b", files.text_of(name))]
    if not shutil.which("shellcheck"):
        print("shell scripts: skipped, there is no shellcheck")
        return
    command = ["shellcheck", "-x", "--format=gcc", *scripts]
    done = subprocess.run(command, cwd=files.ROOT, capture_output=True, text=True, check=False)
    yield from (done.stdout + done.stderr).splitlines()


ALL = [layers, lengths, headers, labels, banned_functions, words, formatting, shell_scripts]
