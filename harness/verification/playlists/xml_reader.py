"""Read XML from untrusted sources: no document type, no entities, and limits on depth and on the number of elements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_ELEMENTS: Final = 300_000
_DEEPEST: Final = 32
_LONGEST_TEXT: Final = 4_000


class XmlError(Exception):
    """The XML is not valid or exceeds a limit; the message completes a sentence about the file."""


@dataclass
class Element:
    """An element: its name without namespace, its attributes, its text before the first child, and its children."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        """Return an attribute, or None."""
        return self.attributes.get(name)

    def all(self, name: str) -> Iterator[Element]:
        """Yield the children with a name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        """Return the first child with a name, or None."""
        return next(self.all(name), None)


def parse_xml(content: bytes) -> Element:
    """Return the root element. Raises XmlError."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = builder.refuse_document_type
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    try:
        parser.Parse(content, True)  # noqa: FBT003 (expat accepts no keyword arguments)
    except expat.ExpatError as error:
        message = f"is not valid XML: {expat.ErrorString(error.code)} (line {error.lineno})"
        raise XmlError(message) from error
    except (ValueError, LookupError) as error:
        # Expat asks Python for encodings that it does not know itself.
        message = f"is not valid XML: {error}"
        raise XmlError(message) from error
    return builder.root


class _Builder:
    """Builds the tree of elements, and raises XmlError as soon as a limit is exceeded."""

    def __init__(self) -> None:
        self.root = Element("", {})
        self._open: list[Element] = []
        self._count = 0

    def refuse_document_type(self, *_declaration: Any) -> None:
        """Refuse document types, because they can declare entities that expand to any size or refer to other files."""
        message = "contains a document type declaration (DOCTYPE), which is not allowed"
        raise XmlError(message)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Add an element."""
        self._count += 1
        if len(self._open) >= _DEEPEST or self._count > _MOST_ELEMENTS:
            message = f"has more than {_MOST_ELEMENTS} elements, or is nested more than {_DEEPEST} levels deep"
            raise XmlError(message)
        element = Element(name.rpartition(":")[2], attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        """Close the current element."""
        self._open.pop()

    def characters(self, text: str) -> None:
        """Add text to the current element. Text after its first child is ignored."""
        current = self._open[-1]
        if not current.children:
            current.text = (current.text + text)[:_LONGEST_TEXT]
