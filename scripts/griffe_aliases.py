"""Replace our type aliases with their values in the Python reference, for example ``Literal["local", "all"]``.

This is an extension for griffe, which reads the sources for MkDocs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from griffe import (
    Attribute,
    Expr,
    ExprBinOp,
    ExprList,
    ExprName,
    ExprSubscript,
    ExprTuple,
    Extension,
    Function,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from griffe import Class, Module, ModulesCollection


class ExpandAliases(Extension):
    """Expands annotations and defaults in the reference.

    Aliases in annotations, and constants in defaults, are replaced with their values, and ``Annotated`` with its type.
    """

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Replace all aliases in a package after griffe has loaded it."""
        for one in _members(pkg):
            if isinstance(one, Attribute):
                one.annotation = _plain(one.annotation, pkg.modules_collection)
                one.value = _value_of(one.value, pkg.modules_collection)
            elif isinstance(one, Function):
                one.returns = _plain(one.returns, pkg.modules_collection)
                for parameter in one.parameters:
                    parameter.annotation = _plain(parameter.annotation, pkg.modules_collection)
                    parameter.default = _value_of(parameter.default, pkg.modules_collection)
                _replace_in_docstring(one, pkg.modules_collection)


def _members(parent: Module | Class) -> Iterator[Any]:
    for member in parent.members.values():
        if not member.is_alias:
            yield member
            if member.is_module or member.is_class:
                yield from _members(member)


def _replace_in_docstring(function: Function, collection: ModulesCollection) -> None:
    """Replace the aliases in parameters that another extension added to the parsed docstring."""
    if function.docstring and "parsed" in vars(function.docstring):
        for section in function.docstring.parsed:
            if section.kind.value == "parameters":
                for parameter in section.value:
                    parameter.annotation = _plain(parameter.annotation, collection)


def _plain(annotation: Any, collection: ModulesCollection) -> Any:
    """Return an annotation without aliases. Values that are not expressions are returned unchanged."""
    if isinstance(annotation, ExprName):
        value = _alias_value(annotation.canonical_path, collection)
        return annotation if value is None else _plain(value, collection)
    if isinstance(annotation, ExprSubscript):
        inner = annotation.slice
        if annotation.canonical_path == "typing.Annotated" and isinstance(inner, ExprTuple):
            return _plain(inner.elements[0], collection)
        return replace(annotation, slice=_plain(inner, collection))
    if isinstance(annotation, ExprTuple | ExprList):
        return replace(annotation, elements=[_plain(one, collection) for one in annotation.elements])
    if isinstance(annotation, ExprBinOp):
        return replace(annotation, left=_plain(annotation.left, collection), right=_plain(annotation.right, collection))
    return annotation


def _value_of(default: Any, collection: ModulesCollection) -> Any:
    """If a default is the name of a constant, return the constant's value. Return any other default unchanged."""
    if not isinstance(default, ExprName) or not default.name.isupper():
        return default
    found = collection[default.canonical_path]
    return found.value if found.is_attribute and isinstance(found.value, str) else default


def _alias_value(path: str, collection: ModulesCollection) -> Expr | None:
    """Return the value of one of our type aliases; None for every other name."""
    if not path.startswith("harness."):
        return None
    found = collection[path]
    if not found.is_attribute or not isinstance(found.value, Expr) or not found.name[0].isupper():
        return None
    return found.value
