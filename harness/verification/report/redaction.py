"""Redaction: a report that can be shared says nothing of who was recorded, and where files lie."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.recording.files.names import SUFFIX, manifest_of
from harness.recording.manifest import Manifest
from harness.recording.timeline import LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.verification.values.curves import Curve
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.findings import Finding

# What a file is called where nothing else is asked for.
STEM: Final = "recording"
# Where a manifest names somebody.
_NAMES: Final = frozenset({"participant", "name"})
# Where it tells something in words that may name them.
_TEXTS: Final = frozenset({"message", "alarms", "recovered", "codec", "mime_type"})
# What a file may still be told to be.
_KINDS: Final = frozenset({SUFFIX, ".mp4", ".m4a", ".mkv", ".wav", ".json"})
# Addresses, and paths that begin at a root; a folder may have a name of several words.
_PLACES: Final = re.compile(
    r"""(?:\w+://|(?<![\w.])(?:~|[A-Za-z]:)?[/\\])[^\s'"]+(?:(?:\s[^\s'"/\\]+){1,3}[/\\][^\s'"]*)*|\b\d{1,3}(?:\.\d{1,3}){3}\b|(?:[0-9a-f]{0,4}:){3,}[0-9a-f]*""",
    re.IGNORECASE,
)
# A letter or digit of a script that puts spaces between its words, as far as names in it are told apart by them.
_WORDLY: Final = "[0-9A-Za-z]"


class Redaction:
    """Calls participants ``participant 1`` and so on, in the manifest's order, and files ``stem``."""

    def __init__(self, manifest: Manifest | None, stem: str = STEM) -> None:
        self._stem = stem
        self._people: dict[str, str] = {}
        if manifest is not None:
            for name in (*(one.name for one in manifest.timeline.members), manifest.recording.participant):
                self.person(name)
            # Words may name somebody before whoever is told of.
            self._walk(manifest.timeline.model_dump(mode="json"))

    def person(self, name: str) -> str:
        """Return what somebody is called here."""
        return self._people.setdefault(name, f"participant {len(self._people) + 1}")

    def manifest(self, manifest: Manifest) -> Manifest:
        """Return the manifest without names and places."""
        told = self._walk(manifest.model_dump(mode="json", by_alias=True))
        path = unnamed(manifest.recording.path, self._stem)
        told["recording"] |= {"path": str(path), "manifest": str(manifest_of(path))}
        told["config"].pop("recordName", None)
        versions = {self._text(name): self._text(version) for name, version in told["versions"].items()}
        return Manifest.model_validate(told | {"room": None, "versions": versions})

    def expectations(self, expected: Iterable[Expectation]) -> tuple[Expectation, ...]:
        """Return what is expected of the same people."""
        return tuple(one.model_copy(update={"participant": self.person(one.participant)}) for one in expected)

    def findings(self, found: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return findings without the hash, by which a file is known again."""
        return tuple(
            one.model_copy(update={"expected": None, "got": None}) if one.check == "hash" else one for one in found
        )

    def curves(self, travelled: Mapping[str, Mapping[str, Curve]]) -> dict[str, Mapping[str, Curve]]:
        """Return the curves of the same people."""
        return {key: {self.person(name): curve for name, curve in people.items()} for key, people in travelled.items()}

    def _walk(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._walk(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._walk(inner, key) for inner in value]
        if isinstance(value, str) and key in _NAMES:
            return self.person(value)
        return self._text(value) if isinstance(value, str) and key in _TEXTS else value

    def _text(self, text: str) -> str:
        """Return words without the places and names in them, the longest name first: one may be part of another."""
        text = _PLACES.sub("…", text)
        names = sorted(filter(None, self._people), key=len, reverse=True)
        people = {name.casefold(): self._people[name] for name in names}
        found = "|".join(map(_alone, names))
        if found:
            text = re.sub(found, lambda one: people.get(one[0].casefold(), "somebody"), text, flags=re.IGNORECASE)
        # What somebody is called here may be longer than their name.
        return text[:LONGEST_TEXT]


def unnamed(path: Path, stem: str = STEM) -> Path:
    """Return what a file is called where its own name is not told; only its kind is left."""
    return Path(stem + (path.suffix if path.suffix in _KINDS else ""))


def _alone(name: str) -> str:
    """Return a pattern for a name that is no part of a longer word, as ann is of annex.

    Where it begins or ends in another script, as Chinese, words need no space between them.
    """
    before = f"(?<!{_WORDLY})" if re.match(_WORDLY, name) else ""
    after = f"(?!{_WORDLY})" if re.match(_WORDLY, name[-1]) else ""
    return f"{before}{re.escape(name)}{after}"
