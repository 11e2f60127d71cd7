"""Redact a report so that it can be shared without revealing who was recorded or where files are stored."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from harness.recording.files.names import SUFFIX, manifest_of
from harness.recording.timeline import LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.recording.manifest import AnyManifest, Manifest, ObservationManifest
    from harness.verification.sources import Source
    from harness.verification.values.curves import Curve
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.findings import Finding

    _Manifest = TypeVar("_Manifest", Manifest, ObservationManifest, AnyManifest)

# The default name of a file in a redacted report.
STEM: Final = "recording"
# Manifest keys whose values are participants' names.
_NAMES: Final = frozenset({"participant", "name"})
# Manifest keys whose values are strings that may contain participants' names.
_TEXTS: Final = frozenset({"message", "alarms", "recovered", "codec", "mime_type"})
# The suffixes that a redacted name keeps.
_SUFFIXES: Final = frozenset({SUFFIX, ".m3u8", ".mpd", ".mp4", ".m4a", ".mov", ".mkv", ".wav", ".json"})
# Matches network addresses and absolute paths, in which folder names may contain spaces.
_LOCATIONS: Final = re.compile(
    r"""(?:\w+://|(?<![\w.])(?:~|[A-Za-z]:)?[/\\])[^\s'"]+(?:(?:\s[^\s'"/\\]+){1,3}[/\\][^\s'"]*)*|\b\d{1,3}(?:\.\d{1,3}){3}\b|(?:[0-9a-f]{0,4}:){3,}[0-9a-f]*""",
    re.IGNORECASE,
)
# The kind of a rendition, or the number of its part, at the end of a source's name.
_RENDITION: Final = re.compile(r" \((?:video|audio|part \d+|(?:video|audio), part \d+)\)$")
# A letter or digit in scripts that separate words with spaces.
_WORD_CHARACTER: Final = "[0-9A-Za-z]"


class Redaction:
    """Replaces the names of files with ``stem``, and the names of participants with ``participant 1`` and so on.

    Participants are numbered in the order in which the manifest lists them.
    """

    def __init__(self, manifest: AnyManifest | None, stem: str = STEM) -> None:
        self._stem = stem
        self._aliases: dict[str, str] = {}
        if manifest is not None:
            self.learn(manifest)

    def learn(self, manifest: AnyManifest) -> None:
        """Assign an alias to each participant in a manifest, because a text may name a participant in a later event."""
        for name in (*(one.name for one in manifest.timeline.members), manifest.participant):
            if name is not None:
                self.alias(name)
        self._walk(manifest.timeline.model_dump(mode="json"))

    def alias(self, name: str) -> str:
        """Return the alias of a participant."""
        return self._aliases.setdefault(name, f"participant {len(self._aliases) + 1}")

    def manifest(self, manifest: _Manifest) -> _Manifest:
        """Return the manifest without names or locations."""
        redacted = self._walk(manifest.model_dump(mode="json", by_alias=True))
        if manifest.recording is not None:
            path = redacted_path(manifest.recording.path, self._stem)
            redacted["recording"] |= {"path": str(path), "manifest": str(manifest_of(path))}
            redacted["config"].pop("recordName", None)
        versions = {self._text(name): self._text(version) for name, version in redacted["versions"].items()}
        return type(manifest).model_validate(redacted | {"room": None, "versions": versions})

    def expectations(self, expected: Iterable[Expectation]) -> tuple[Expectation, ...]:
        """Return the expectations with aliases in place of names."""
        return tuple(one.model_copy(update={"participant": self.alias(one.participant)}) for one in expected)

    def findings(self, found: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings without the file's hash, because the hash would identify the file."""
        return tuple(
            one.model_copy(update={"expected": None, "got": None}) if one.check == "hash" else one for one in found
        )

    def connections(self, curves: Mapping[str, Mapping[str, Curve]]) -> dict[str, Mapping[str, Curve]]:
        """Return the connection curves with aliases in place of names."""
        return {
            measure: {self.alias(name): curve for name, curve in by_name.items()} for measure, by_name in curves.items()
        }

    def _walk(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._walk(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._walk(inner, key) for inner in value]
        if isinstance(value, str) and key in _NAMES:
            return self.alias(value)
        return self._text(value) if isinstance(value, str) and key in _TEXTS else value

    def _text(self, text: str) -> str:
        """Return the text with all names replaced by aliases, and without locations of files.

        Long names are replaced first, because a long name may contain a shorter name.
        """
        text = _LOCATIONS.sub("…", text)
        names = sorted(filter(None, self._aliases), key=len, reverse=True)
        aliases = {name.casefold(): self._aliases[name] for name in names}
        found = "|".join(map(_name_pattern, names))
        if found:
            text = re.sub(found, lambda one: aliases.get(one[0].casefold(), "a participant"), text, flags=re.IGNORECASE)
        # An alias may be longer than the name that it replaces, so shorten the text if it has become too long.
        return text[:LONGEST_TEXT]


def redacted_source(source: Source, stem: str) -> Source:
    """Return a source with a redacted path and name, and without the names of its segments.

    The kind of a playlist's rendition stays part of the name.
    """
    path = redacted_path(source.path, stem)
    rendition = _RENDITION.search(source.name) if source.clock else None
    lost = tuple(replace(one, name="") for one in source.lost)
    return replace(source, path=path, name=f"{path.name}{rendition[0] if rendition else ''}", lost=lost)


def redacted_path(path: Path, stem: str = STEM) -> Path:
    """Return the redacted name of a file; only the suffix of the original name is kept."""
    return Path(stem + (path.suffix if path.suffix in _SUFFIXES else ""))


def _name_pattern(name: str) -> str:
    """Return a pattern that matches a name only as a whole word, so that "ann" does not match in "annex".

    If the name starts or ends with a character of another script, for example Chinese, no word boundary is required at
    that end.
    """
    before = f"(?<!{_WORD_CHARACTER})" if re.match(_WORD_CHARACTER, name) else ""
    after = f"(?!{_WORD_CHARACTER})" if re.match(_WORD_CHARACTER, name[-1]) else ""
    return f"{before}{re.escape(name)}{after}"
