"""Fill in the tables of docs/output-files.md; with ``--check``, only report whether they are up to date.

Each table is between the comments ``<!-- fields: module.Model -->`` and ``<!-- end -->``. A table's rows are the fields
of a pydantic model as they appear in JSON, and the descriptions are the docstrings below the fields.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

from checkout import ROOT, write_or_check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

PAGE: Final = ROOT / "docs" / "output-files.md"
_BLOCK: Final = re.compile(r"(<!-- fields: ([\w.]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_TYPES: Final = {str: "string", Path: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def main() -> int:
    """Fill in the tables; with ``--check``, compare them instead and return 1 if they are out of date."""
    text = PAGE.read_text(encoding="utf-8")
    return write_or_check(PAGE, _BLOCK.sub(lambda found: f"{found[1]}\n{table(found[2])}\n{found[3]}", text))


def table(path: str) -> str:
    """Return the table of a model's fields."""
    module, _, class_name = path.rpartition(".")
    model: type[BaseModel] = getattr(import_module(module), class_name)
    texts = descriptions(model)
    rows = ["| key | type | meaning |", "| --- | --- | --- |"]
    for name, computed in model.model_computed_fields.items():
        meaning = _in_json(" ".join((inspect.getdoc(getattr(model, name)) or "").split()))
        rows.append(f"| `{name}` | {json_type(computed.return_type)} | {meaning} |")
    for field, info in model.model_fields.items():
        if not info.exclude:
            rows.append(f"| `{info.alias or field}` | {json_type(info.annotation)} | {texts[field]} |")
    return "\n".join(rows) + "\n"


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstring below each field of a model and of its base classes, as one line of Markdown."""
    found = {}
    for one in reversed(model.__mro__):
        if not one.__module__.startswith("harness."):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        for field, below in zip(body.body, body.body[1:], strict=False):  # type: ignore[attr-defined]
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = _in_json(" ".join(text.split()))
    return found


def _in_json(text: str) -> str:
    """Return a description in Markdown, with null, true and false instead of None, True and False."""
    text = re.sub(r"``([^`]*)``", r"`\1`", text)
    for python, json in (("None", "null"), ("True", "true"), ("False", "false")):
        text = re.sub(rf"\b{python}\b", json, text)
    return text.replace("|", "\\|")


def json_type(annotation: Any) -> str:
    """Return a value's type in JSON."""
    return " or ".join(dict.fromkeys(_types(annotation)))


def _types(annotation: Any) -> Iterator[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _types(arguments[0])
    elif origin in {Union, UnionType}:
        for one in arguments:
            yield from _types(one)
    elif origin is Literal:
        yield ", ".join(f"`{choice}`" for choice in arguments)
    elif origin is tuple and Ellipsis in arguments:
        yield f"list of {json_type(arguments[0])}"
    elif origin is tuple:
        yield "[start, end]"
    elif origin is dict:
        yield "object"
    else:
        yield _TYPES.get(annotation) or _link(annotation.__name__)


def _link(model: str) -> str:
    """Return a link to the model's section on the page."""
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", model).lower()
    return f"[{title.replace('-', ' ')}](#{title})"


if __name__ == "__main__":
    sys.exit(main())
