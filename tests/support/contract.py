"""openapi.yaml as the tests read it: a key that stands twice in a mapping is refused.

YAML forbids such keys, and Swagger UI shows nothing then; PyYAML alone keeps the last one.
"""

import pathlib

import yaml

PATH = pathlib.Path(__file__).resolve().parents[2] / "openapi.yaml"


class Loader(yaml.SafeLoader):
    """The safe loader, with each key once."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping", node.start_mark,
                    f"found the key {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse(text):
    """The contract of a text; a yaml.YAMLError where it is not one."""
    return yaml.load(text, Loader)


def load():
    """The project's contract."""
    return parse(PATH.read_text())
