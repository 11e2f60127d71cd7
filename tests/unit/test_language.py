"""The project's texts do not contain any word that the glossary replaces."""

from __future__ import annotations

import tomllib
from pathlib import Path

import language
import pytest
import texts

pytestmark = pytest.mark.parallel

RULES = language.rules()
WRONG = [one["wrong"] for one in tomllib.loads(language.WORDS.read_text(encoding="utf-8"))["words"]]


def test_no_text_contains_a_word_that_the_glossary_replaces() -> None:
    """Docs, docstrings, comments, errors, help, findings and page texts use the glossary's words."""
    found = [line for piece in texts.texts() for line in language.findings(piece, RULES)]

    assert [] == found


@pytest.mark.parametrize(("number", "sentence"), [*enumerate(WRONG)], ids=WRONG)
def test_every_rule_finds_its_own_example(number: int, sentence: str) -> None:
    """Every rule matches its own example, since a rule that never matches would be useless."""
    assert [*language.findings(texts.Text("docs", "a.md", 1, sentence), [RULES[number]])]


def test_allowed_use_is_not_reported() -> None:
    """Fixed terms such as "sound card" are allowed. Identifiers are not checked, because they are code."""
    piece = texts.Text("docs", "a.md", 1, "A machine without a sound card. Call `picture()` or {sound}.")

    assert [] == [*language.findings(piece, RULES)]


PLANTED = {
    "docs: a paragraph": ("a.md", "Text.\n\nThe picture\nis late.\n", "docs", 3),
    "docs: a cell of a table": ("a.md", "| name | what |\n| --- | --- |\n| fps | pictures per second |\n", "docs", 3),
    "docs: a list item": ("a.md", "- one\n- the picture\n", "docs", 2),
    "docstring": ("harness/a.py", 'def f():\n    """Return the picture."""\n', "docstrings", 2),
    "comment": ("harness/a.py", "x = 1  # The picture of it.\n", "comments", 1),
    "error": ("harness/a.py", 'raise OSError(f"The picture of {name} is late.")\n', "errors", 1),
    "help": ("harness/cli/a.py", 'option(help="Size of the picture in pixels.")\n', "help and findings", 1),
    "docstring of JavaScript": ("web/src/a.js", "/** Draws a picture. */\nconst a = 1\n", "docstrings", 1),
    "comment of JavaScript": ("web/src/a.js", "const a = 1\n// One picture each.\nconst b = 2\n", "comments", 2),
    "error of JavaScript": ("web/src/a.js", "throw new Error('The picture did not arrive.')\n", "errors", 1),
    "text of the page": ("web/src/view/a.js", "show(`The picture of ${name} is late.`)\n", "page", 1),
    "HTML": ("web/index.html", "<p>\nThe picture</p>", "page", 1),
    "label in HTML": ("web/index.html", '<p>Hello</p>\n<p aria-label="Picture of a participant"></p>', "page", 2),
    "Makefile": ("Makefile", "all: ## Make the pictures\n", "help and findings", 1),
}


@pytest.mark.parametrize("name", PLANTED)
def test_word_is_found_in_every_kind_of_text(name: str, tmp_path: Path) -> None:
    """A finding of scripts/language.py states the kind of text, the file and the line."""
    path, content, kind, line = PLANTED[name]
    file = tmp_path / Path(path).name
    file.write_text(content, encoding="utf-8")

    found = [(piece, line) for piece in texts.texts_of(path, file) for line in language.findings(piece, RULES)]

    ((piece, message),) = found
    assert kind == piece.kind
    assert f"{path}:{line} " in message


def test_blocks_of_code_and_quoted_names_are_not_prose(tmp_path: Path) -> None:
    """Code blocks and names in backquotes are not checked, because they are not prose."""
    file = tmp_path / "a.md"
    file.write_text("Run `picture`:\n\n```sh\necho picture\n```\n", encoding="utf-8")

    assert [] == [line for piece in texts.texts_of("a.md", file) for line in language.findings(piece, RULES)]


def test_same_seed_draws_the_same_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    """The same seed selects the same random sentences, with the same number from each kind of text."""
    pieces = [
        texts.Text(kind, "a.md", 1, f"The sentence number {number} is one of many.")
        for kind in language.KINDS
        for number in range(40)
    ]

    drawn = []
    for _ in range(2):
        language.print_sample(pieces, seed=7)
        drawn.append(capsys.readouterr().out)

    assert drawn[0] == drawn[1]
    assert len(language.KINDS) * language.PER_KIND == drawn[0].count("The sentence number")
