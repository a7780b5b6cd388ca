"""A Dockerfile as a list of instructions, and what is wrong with it."""

import json
import re

MAX_LINES = 30


def instructions(text):
    """[(NAME, rest)], continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = (line.strip().split(None, 1) for line in joined.splitlines() if line.strip())
    return [(name.upper(), rest[0] if rest else "") for name, *rest in pairs]


def stages(text):
    """Instructions by stage, each list beginning with its FROM."""
    found = []
    for name, rest in instructions(text):
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, rest))
    return found


def last(stage, name):
    """The last instruction of that name in a stage, or None."""
    values = [rest for other, rest in stage if other == name]
    return values[-1] if values else None


def is_pinned(image):
    """A tag that names a version, not just a series or whatever is newest."""
    tag = image.rpartition("/")[2].partition(":")[2]
    return "@sha256:" in image or bool(re.match(r"v?\d+\.\d+", tag))


def is_exec_form(value):
    try:
        return isinstance(json.loads(value), list)
    except (TypeError, ValueError):
        return False


def copied(stage):
    """(sources, stage they come from or None) of each COPY."""
    for name, rest in stage:
        if name == "COPY":
            words = rest.split()
            flags = [word for word in words if word.startswith("--")]
            origin = next((flag[7:] for flag in flags if flag.startswith("--from=")), None)
            yield [word for word in words[:-1] if not word.startswith("--")], origin


def faults_of_stage(stage, names, root):
    image = stage[0][1].split()[0]
    if image not in names and not is_pinned(image):
        yield f"the base {image} is not pinned to a version"
    for name, rest in stage:
        if name == "ADD":
            yield "ADD fetches and unpacks behind one's back; COPY does not"
        if name == "RUN" and re.search(r"(curl|wget)[^|;&]*\|\s*(ba)?sh", rest):
            yield "a script from the network is run unseen"
    for sources, origin in copied(stage):
        if origin and origin not in names:
            yield f"COPY --from={origin}: there is no such stage before"
        for source in sources:
            if not origin and not (root / source).exists():
                yield f"COPY {source}: not in the repository"


def faults_of_image(stage):
    user = last(stage, "USER")
    if user is None or user.split(":")[0] in ("root", "0"):
        yield "it runs as root"
    elif not user.split(":")[0].isdigit():
        yield "the user is no number, so runAsNonRoot cannot be checked"
    for name in ("ENTRYPOINT", "HEALTHCHECK"):
        if last(stage, name) is None:
            yield f"there is no {name}"
    if not is_exec_form(last(stage, "ENTRYPOINT")):
        yield "ENTRYPOINT is run by a shell, which swallows signals"


def faults(text, root):
    """What is wrong with a Dockerfile whose context is the folder root."""
    found = []
    if len(text.splitlines()) > MAX_LINES:
        found.append(f"it has more than {MAX_LINES} lines")
    parts = stages(text)
    if not parts:
        return found + ["there is no FROM"]
    names = []
    for stage in parts:
        found += faults_of_stage(stage, names, root)
        words = stage[0][1].split()
        names.append(words[2] if len(words) == 3 else str(len(names)))
    return found + list(faults_of_image(parts[-1]))
