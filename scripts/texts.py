"""Find the project's texts: documents, docstrings, comments, errors, help, findings, and the texts of the page."""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from html.parser import HTMLParser
from typing import TYPE_CHECKING, NamedTuple

from checkout import ROOT, tracked_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# Files in which strings are help texts, findings or report texts, not errors or log lines.
HELP = ("harness/cli/", "harness/pytest_plugin/options", "harness/verification/checks/", "harness/verification/report/")
PAGE = ("web/index.html", "web/src/view/")
# Names, paths, options and code are not prose.
CODE = re.compile(r"``[^`]+``|`[^`]+`|\{[^{}]*\}|https?://\S+")
FEWEST_WORDS = 4
# This pattern finds comments and strings in JavaScript. Strings can have any kind of quotes.
JS_TOKEN = re.compile(
    r"/\*\*(?P<doc>.*?)\*/|/\*(?P<block>.*?)\*/|(?P<line>(?:^[ \t]*//[^\n]*\n?)+|(?<=[\s;{(,])//[^\n]*)"
    r"|'(?P<single>(?:\\.|[^'\\\n])*)'|\"(?P<double>(?:\\.|[^\"\\\n])*)\"|`(?P<template>(?:\\.|[^`\\])*)`",
    re.DOTALL | re.MULTILINE,
)


class Text(NamedTuple):
    """A piece of text, its kind and where it begins."""

    kind: str
    path: str
    line: int
    text: str


def texts(only: Iterable[str] = ()) -> Iterator[Text]:
    """Yield every text of the project, or of the specified files and folders."""
    for path in tracked_files(*only):
        name = path.as_posix()
        if not name.startswith(("docs/cli.md", "scripts/language")) and ".zh" not in name:
            yield from texts_of(name, ROOT / path)


def texts_of(name: str, path: Path) -> Iterator[Text]:
    """Yield the texts of one file."""
    reader = {".md": markdown, ".py": python, ".js": javascript, ".ts": javascript, ".html": html}.get(path.suffix)
    if path.name in {"Makefile", "pyproject.toml", "Dockerfile", "mkdocs.yml", "ci.yml", "release.yml"}:
        reader = configuration
    if reader and path.name != "chinese.js":
        yield from reader(name, path.read_text(encoding="utf-8"))


def markdown(name: str, text: str) -> Iterator[Text]:
    """Yield the paragraphs, list items and table cells of a document; blocks of code are not prose."""
    text = re.sub(r"^( *)```.*?^\1```", lambda block: "\n" * block[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE)
    # Skip comments, and the names of classes that the site generator describes.
    for pattern in (r"<!--.*?-->", r"^:::.*?(?:\n\n|\Z)"):
        text = re.sub(pattern, lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE)
    paragraph: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        starts = re.match(r"\s*([-*]|\d+\.)\s|[#|]|\s*$", line)
        if starts and paragraph:
            yield Text("docs", name, number - len(paragraph), _without_links("\n".join(paragraph)))
            paragraph = []
        if line.startswith("|"):
            cells = [] if re.fullmatch(r"[|\s:-]+", line) else re.split(r"(?<!\\)\|", line.strip("| "))
            yield from (Text("docs", name, number, _without_links(cell.strip())) for cell in cells)
        elif line.strip():
            paragraph.append(re.sub(r"^\s*([-*]|\d+\.|#+)\s+", "", line))


def _without_links(text: str) -> str:
    """Return the text with each link replaced by its link text."""
    return re.sub(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)]*\)", r"\1", text)


def python(name: str, source: str) -> Iterator[Text]:
    """Yield the docstrings, comments and strings of a module."""
    tree = ast.parse(source)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and ast.get_docstring(node):
                docstrings.add(first.value)
                # A command's docstring is its help.
                kind = (
                    "help and findings"
                    if name.startswith("harness/cli/commands/") and _is_command(node)
                    else "docstrings"
                )
                yield from docstring(kind, name, first.lineno, ast.get_docstring(node, clean=True) or "")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value not in docstrings:
            # The description of an attribute follows it.
            docstrings.add(node.value)
            yield from docstring("docstrings", name, node.lineno, inspect.cleandoc(str(node.value.value)))
    yield from python_comments(name, source)
    if name.startswith("harness/"):
        yield from python_strings(name, tree, docstrings)


def docstring(kind: str, name: str, line: int, text: str) -> Iterator[Text]:
    """Yield the text of a docstring and the descriptions of its parameters and errors, one by one."""
    parts = re.split(r"^(?:Args|Raises|Returns|Yields|Attributes):$|^ {4}\w+: ", text, flags=re.MULTILINE)
    for part in parts:
        yield Text(kind, name, line, part.strip())
        line += part.count("\n")


def _is_command(node: ast.AST) -> bool:
    """Return whether Typer reads this function's docstring."""
    return bool(getattr(node, "decorator_list", None))


def python_comments(name: str, source: str) -> Iterator[Text]:
    """Yield the comments of a module; consecutive lines are one text."""
    block: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comment = re.sub(r"^#!?\s?|# noqa\b.*|\bnoqa\b.*|type: ignore.*|pragma: .*|-{4,}", "", token.string)
            if block and block[-1][0] != token.start[0] - 1:
                yield Text("comments", name, block[0][0], "\n".join(one for _, one in block))
                block = []
            block.append((token.start[0], comment))
    if block:
        yield Text("comments", name, block[0][0], "\n".join(one for _, one in block))


def python_strings(name: str, tree: ast.Module, docstrings: set[ast.Constant]) -> Iterator[Text]:
    """Yield the strings that read like sentences: errors, findings, log lines and help."""
    kind = "help and findings" if name.startswith(HELP) else "errors"
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside.update(id(one) for one in ast.walk(node) if one is not node)
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(_part(one) for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            text = node.value
        else:
            continue
        if reads_like_prose(text):
            yield Text(kind, name, node.lineno, text)


def _part(node: ast.expr) -> str:
    """Return a piece of an f-string as written in the source code."""
    return str(node.value) if isinstance(node, ast.Constant) else "{" + re.sub(r"[{}]", "", ast.unparse(node)) + "}"


def reads_like_prose(text: str) -> bool:
    """Return whether a string looks like text for users."""
    words = re.findall(r"(?<![\w-])[A-Za-z][a-z']+(?![\w=(/])", CODE.sub(" ", text))
    return len(words) >= FEWEST_WORDS and not re.search(r"[{};]\n|</|=>|^\s*[.#]?\w+\s*\{|^--", text)


def javascript(name: str, source: str) -> Iterator[Text]:
    """Yield the comments and the strings of a module."""
    for match in JS_TOKEN.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        if match["doc"] is not None:
            prose = re.sub(r"^\s*\* ?", "", match["doc"], flags=re.MULTILINE)
            prose = re.sub(r"@(?:type|typedef|import|template)\b.*", "", prose)
            prose = re.sub(r"@\w+\s+(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}\s*)?(?:\[?[\w.=]+\]?\s+)?(?:- )?", "\f", prose)
            yield from (Text("docstrings", name, line, part.strip()) for part in prose.split("\f"))
        elif (comment := match["block"] or match["line"]) is not None:
            prose = re.sub(r"^\s*(?://|\*)\s?", "", comment, flags=re.MULTILINE)
            yield Text("comments", name, line, re.sub(r"eslint-\S+.*|@ts-\S+|-{4,}", "", prose).strip())
        elif name.startswith("web/src/"):
            text = next((match[one] for one in ("single", "double", "template") if match[one] is not None), "")
            text = re.sub(r"\$(\{)", r"\1", text.replace("\\'", "'"))
            if reads_like_prose(text):
                yield Text("page" if name.startswith(PAGE) else "errors", name, line, text)


class _Html(HTMLParser):
    """Collects a page's text and labels."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the labels for screen readers and tooltips."""
        self._skipped += tag in {"script", "style"}
        labels = {"aria-label", "title", "placeholder", "alt"}
        self.found += [(self.getpos()[0], value) for key, value in attrs if key in labels and value]

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a script or style sheet."""
        self._skipped -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        """Collect text that is outside scripts and style sheets."""
        if data.strip() and not self._skipped:
            self.found.append((self.getpos()[0], data.strip()))


def html(name: str, source: str) -> Iterator[Text]:
    """Yield the texts of a page."""
    parser = _Html()
    parser.feed(source)
    yield from (Text("page" if name.startswith(PAGE) else "help and findings", name, *one) for one in parser.found)


def configuration(name: str, source: str) -> Iterator[Text]:
    """Yield the comments of a configuration file."""
    for number, line in enumerate(source.splitlines(), 1):
        if found := re.search(r"(?:^|\s)#+ (.+)", line):
            yield Text("help and findings" if "##" in line else "comments", name, number, found[1])
