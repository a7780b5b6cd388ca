"""The project's files, and what C looks like without comments and strings."""

import functools
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED_FOLDERS = {".git", ".venv", "build", "node_modules", "__pycache__"}

# Comments, strings and character constants; a comment is any group but the last.
TOKEN = re.compile(r"(/\*.*?\*/|//[^\n]*)|(\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')", re.DOTALL)


@functools.lru_cache
def names():
    """All files that belong to the project, relative to its root; those of git where there is one."""
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        listed = found.splitlines()
    except (OSError, subprocess.CalledProcessError):
        listed = [
            os.path.relpath(os.path.join(folder, name), ROOT)
            for folder, folders, files in os.walk(ROOT)
            for name in files
            if not SKIPPED_FOLDERS.intersection(pathlib.Path(folder).relative_to(ROOT).parts)
        ]
    return sorted(name for name in listed if (ROOT / name).is_file())


@functools.lru_cache(maxsize=None)
def text_of(name):
    """The file's text, or nothing for a file that is none."""
    data = (ROOT / name).read_bytes()
    return "" if b"\0" in data else data.decode("utf-8", "replace")


def c_names():
    return [name for name in names() if name.endswith((".c", ".h"))]


def blanked(match):
    """Spaces of the same length; newlines stay, and strings keep their quotes."""
    text = re.sub(r"[^\n]", " ", match.group(0))
    return text if match.group(1) else '"' + text[1:-1] + '"'


@functools.lru_cache(maxsize=None)
def code_of(name):
    """The text with comments and the insides of strings blanked, lines and columns unchanged."""
    return TOKEN.sub(blanked, text_of(name))


@functools.lru_cache(maxsize=None)
def flat_code_of(name):
    """The same without preprocessor lines."""
    def blank_lines(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank_lines, code_of(name), flags=re.MULTILINE)


def comment_lines(name):
    """Numbers (from 0) of lines that hold a comment, and of those that hold nothing else."""
    text, some, whole = text_of(name), set(), set()
    code_lines = code_of(name).split("\n")
    for match in TOKEN.finditer(text):
        if match.group(1):
            first = text.count("\n", 0, match.start())
            last = first + match.group(1).count("\n")
            some.update(range(first, last + 1))
    whole = {i for i in some if not code_lines[i].strip()}
    return some, whole
