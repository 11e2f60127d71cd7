"""Read a scenario from a TOML or YAML file, and report the first mistake with its line and reason."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from harness.errors import ConfigError
from harness.recording.files.safe_reads import parse_toml, read_text
from harness.scenario.sequence_check import problems
from harness.scenario.source_positions import toml_lines, yaml_lines
from harness.scenario.steps import KINDS, VERBS, RecordOptions, Scenario

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from harness.scenario.source_positions import Lines

_KIND: Final = {kind.verb: kind for kind in KINDS}
# YAML aliases repeat values, so even a short file can contain a huge number of values.
_MOST_VALUES: Final = 100_000


def read_scenario(path: Path) -> Scenario:
    """Return the scenario in the .toml, .yaml or .yml file at ``path``; the default title is the file's name.

    Raises ConfigError if the scenario can't be read or a step is impossible at its position; the message names the
    file, line, step and reason.
    """
    try:
        data, lines = _parsed(path)
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply to be read.") from error
    try:
        # If a field of the model is a tuple, pydantic's strict mode refuses a Python list but accepts a JSON array.
        text = json.dumps(data, default=str)
    except TypeError as error:
        raise ConfigError(f"{path}: a key must be a word or a number.") from error
    except ValueError as error:
        raise ConfigError(f"{path}: the file contains a number that is too long to be read.") from error
    try:
        scenario = Scenario.model_validate_json(text, strict=True, context={"folder": path.parent})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = _without_tags(first["loc"])
        raise ConfigError(f"{_place(path, lines, where)}: {_line(_reason(first, where, data))}.") from error
    for number, reason in problems(scenario):
        raise ConfigError(f"{_place(path, lines, ('steps', number))}: step {number + 1}: {_line(reason)}.")
    return scenario if scenario.title else scenario.model_copy(update={"title": path.stem})


def _parsed(path: Path) -> tuple[dict[str, Any], Lines]:
    if path.suffix not in {".toml", ".yaml", ".yml"}:
        raise ConfigError(f"{path}: a scenario must be a .toml, .yaml or .yml file.")
    text = read_text(path, "a scenario")
    if path.suffix == ".toml":
        try:
            return parse_toml(text), toml_lines(text)
        except ValueError as error:
            raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    try:
        # The round-trip loader preserves line numbers and reads YAML 1.2, in which "on" is a string.
        data = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line} is not valid YAML: {_line(error.problem or error.context or '')}.") from error
    except RecursionError:
        raise
    except Exception as error:  # An invalid value, such as a date in month 13, can cause any exception.
        raise ConfigError(f"{path} is not valid YAML: {_line(str(error)) or type(error).__name__}.") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}:1: a scenario must contain steps; start with 'steps:'.")
    if not _countable(data):
        raise ConfigError(f"{path} has more than {_MOST_VALUES} values, counting every use of an alias.")
    return data, yaml_lines(data)


def _countable(data: object) -> bool:
    """Return whether a YAML file has at most ``_MOST_VALUES`` values, counting every use of an alias."""
    count, found = 0, [data]
    while found:
        value = found.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | set) else ()
        count += len(inner)
        if count > _MOST_VALUES:
            return False
        found += inner
    return True


def _line(text: str) -> str:
    """Return the text as one line."""
    return " ".join(text.split())


def _without_tags(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return a validation error's location in the file, without the step's verb, which pydantic adds to it."""
    if len(loc) > 2 and loc[0] == "steps" and loc[2] in VERBS:  # noqa: PLR2004 - steps, number, kind
        loc = loc[:2] + loc[3:]
    # If a key accepts one name or several names, pydantic adds one of the two type names below to the location.
    return tuple(part for part in loc if part not in {"constrained-str", "tuple[constrained-str, ...]"})


def _place(path: Path, lines: Lines, where: tuple[int | str, ...]) -> str:
    """Return the file and line of a value or, if it is missing, of the table or list that should contain it."""
    known = (where[:length] for length in range(len(where), 0, -1))
    return f"{path}:{next((lines[one] for one in known if one in lines), 1)}"


def _reason(error: ErrorDetails, where: tuple[int | str, ...], data: dict[str, Any]) -> str:
    step = f"step {int(where[1]) + 1}: " if len(where) > 1 and where[0] == "steps" else ""
    key = str(where[-1]) if where else ""
    if error["type"] == "extra_forbidden":
        return f"{step}unknown key {key!r}{_suggestion(key, _known(where[:-1], data))}"
    if error["type"] == "missing":
        return f"{step}{key!r} is missing"
    if error["type"] == "verb":
        given = error["input"] if isinstance(error["input"], dict) else {}
        close = [verb for word in given for verb in difflib.get_close_matches(str(word), VERBS, 1)]
        return f"{step}{error['msg']}" + (f"; did you mean {close[0]!r}" if close else "")
    inner = ".".join(str(part) for part in (where[2:] if step else where))
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{step}{f'{inner} ' if inner and message.startswith('should') else f'{inner}: ' if inner else ''}{message}"


def _known(where: tuple[int | str, ...], data: dict[str, Any]) -> list[str]:
    """Return the keys that a scenario may contain at a location: the top level, a step, or the ``record`` table."""
    if not where:
        return list(Scenario.model_fields)
    if where == ("record",):
        return list(RecordOptions.model_fields)
    if len(where) == 2 and where[0] == "steps":  # noqa: PLR2004 - steps, number
        verb = next(verb for verb in VERBS if verb in data["steps"][where[1]])
        return list(_KIND[verb].model_fields)
    return []


def _suggestion(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, 1)
    if close:
        return f"; did you mean {close[0]!r}"
    return f"; choose from {', '.join(known)}" if known else ""
