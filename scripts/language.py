#!/usr/bin/env python3
"""Check the language of the project's texts, or draw sentences from them for somebody to read.

``scripts/language.py check [PATH...]`` prints every word that ``scripts/language.toml`` replaces, with the better word,
and exits 1 if there is one. ``scripts/language.py list [PATH...]`` prints every sentence, and ``scripts/language.py
sample --seed 7`` prints 20 sentences of each kind.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tomllib
from typing import TYPE_CHECKING, NamedTuple

from checkout import ROOT
from texts import CODE, FEWEST_WORDS, Text, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WORDS = ROOT / "scripts" / "language.toml"
KINDS = ("docs", "docstrings", "comments", "errors", "help and findings", "page")
SENTENCE_END = re.compile(r"(?<=[.!?:])\s+(?=[A-Z`\"'*])")
PER_KIND = 20


class Rule(NamedTuple):
    """What the glossary replaces, the better word, and where the word is right."""

    pattern: re.Pattern[str]
    better: str
    allowed: re.Pattern[str] | None


def main() -> int:
    """Run the subcommand and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="print the words that the glossary replaces")
    check.add_argument("paths", nargs="*", help="files or folders, relative to the checkout; default: all")
    everything = commands.add_parser("list", help="print every sentence with its place, without its context")
    everything.add_argument("paths", nargs="*", help="files or folders, relative to the checkout; default: all")
    sample = commands.add_parser("sample", help="print sentences drawn at random")
    sample.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    if arguments.command == "check":
        return print_findings(texts(arguments.paths))
    if arguments.command == "list":
        for piece in texts(arguments.paths):
            for sentence in sentences(piece.text):
                print(f"{piece.path}:{piece.line} [{piece.kind}] {sentence}")
        return 0
    print_sample(texts(), arguments.seed)
    return 0


def print_findings(pieces: Iterable[Text]) -> int:
    """Print each word to replace; return 1 if there is one."""
    known = rules()
    found = [line for piece in pieces for line in findings(piece, known)]
    print("\n".join(found))
    print(f"{len(found)} words to replace; scripts/language.toml lists the better ones and the allowed uses")
    return int(bool(found))


def findings(piece: Text, known: Iterable[Rule]) -> Iterator[str]:
    """Yield a line for each word of a text that a rule replaces."""
    prose = CODE.sub(lambda code: " " * len(code[0]), piece.text)
    for rule in known:
        allowed = [one.span() for one in rule.allowed.finditer(prose)] if rule.allowed else []
        for match in rule.pattern.finditer(prose):
            if any(start <= match.start() and match.end() <= end for start, end in allowed):
                continue
            line = piece.line + piece.text.count("\n", 0, match.start())
            around = " ".join(piece.text[max(0, match.start() - 40) : match.end() + 40].split())
            yield f"{piece.path}:{line} [{piece.kind}] '{match[0].strip()}': {rule.better}: ...{around}..."


def rules() -> list[Rule]:
    """Read the list of words."""
    return [
        Rule(
            re.compile(one["pattern"], re.IGNORECASE if not one.get("case") else 0),
            one["better"],
            re.compile("|".join(one["allow"]), re.IGNORECASE) if "allow" in one else None,
        )
        for one in tomllib.loads(WORDS.read_text(encoding="utf-8"))["words"]
    ]


def print_sample(pieces: Iterable[Text], seed: int) -> None:
    """Print 20 sentences of each kind, the same ones for the same seed and sources."""
    by_kind: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
    for piece in pieces:
        for sentence in sentences(piece.text):
            by_kind[piece.kind].append((f"{piece.path}:{piece.line}", sentence))
    draw = random.Random(seed)  # noqa: S311 - a sample, not a secret.
    number = 0
    for kind, all_of_kind in by_kind.items():
        print(f"\n## {kind} ({len(all_of_kind)} sentences)\n")
        for place, sentence in draw.sample(all_of_kind, min(PER_KIND, len(all_of_kind))):
            number += 1
            print(f"{number}. {sentence}\n   ({place})")


def sentences(text: str) -> list[str]:
    """Divide a text into sentences of at least four words."""
    found = SENTENCE_END.split(" ".join(text.split()))
    return [one for one in found if len(re.findall(r"[A-Za-z]{2,}", CODE.sub(" ", one))) >= FEWEST_WORDS]


if __name__ == "__main__":
    sys.exit(main())
