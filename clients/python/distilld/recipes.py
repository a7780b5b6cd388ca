"""Recipes: the fields of a job as lines of name=value, for `distill train recipe=` and for jobs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Mapping, Union

TRUTHS = {"true": True, "1": True, "false": False, "0": False}
SAME = {"gamma", "temperature"}  # two ways to say one thing


def read_recipe(path: Union[str, "os.PathLike[str]"]) -> Dict[str, str]:
    """What a recipe says, as texts; empty lines and lines that begin with # say nothing."""
    fields: Dict[str, str] = {}
    for line in map(str.strip, Path(os.fspath(path)).read_text(encoding="utf-8").splitlines()):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or name in fields:
            raise ValueError(f"{path}: {line}: " + ("twice" if equals else "not name=value"))
        fields[name] = value
    return fields


def spec_of_recipe(path: Union[str, "os.PathLike[str]"], schema: Mapping[str, Any],
                   said: Mapping[str, Any]) -> Dict[str, Any]:
    """The fields of a job: those of a recipe, by the types of the schema that GET /schema answers, with
    what is said besides in place of what the recipe says."""
    recipe = read_recipe(path)
    if SAME & said.keys():
        recipe = {name: value for name, value in recipe.items() if name not in SAME}
    return {**{name: _typed(value, schema["properties"].get(name, {}))
               for name, value in recipe.items()}, **said}


def _typed(text: str, field: Mapping[str, Any]) -> Any:
    """A text as its field's value; one that is no such value stays a text, which the service refuses."""
    kinds = field.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "array":
        return [_typed(item, field["items"]) for item in text.split(",") if item]
    if kind == "boolean":
        return TRUTHS.get(text, text)
    try:
        return {"integer": int, "number": float}.get(kind, str)(text)
    except ValueError:
        return text
