"""The types against the contract, field by field: which there are, and which may be null."""

import inspect
import typing

import pytest

from distilld import types
from service import ROOT

yaml = pytest.importorskip("yaml")
SCHEMAS = yaml.safe_load((ROOT / "openapi.yaml").read_text())["components"]["schemas"]
NAMES = {"JobEvent": "Event"}  # that the contract calls otherwise
TYPES = [found for name, found in inspect.getmembers(types, inspect.isclass)
         if hasattr(found, "__total__") and not name.startswith("_")]


def may_be_null(schema):
    """True, False, or None where the schema names no type."""
    kinds = [part.get("type", "object") for part in schema.get("anyOf", [schema])]
    if "$ref" in schema or "type" not in schema and "anyOf" not in schema:
        return None
    return "null" in (kind for each in kinds for kind in ([each] if isinstance(each, str) else each))


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_fields(kind):
    fields = SCHEMAS[NAMES.get(kind.__name__, kind.__name__)]["properties"]
    hints = typing.get_type_hints(kind)
    assert set(hints) == set(fields)
    for name, hint in hints.items():
        null = may_be_null(fields[name])
        if null is not None and hint is not typing.Any:
            assert null == (type(None) in typing.get_args(hint)), name
