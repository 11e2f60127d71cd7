"""Generate docs/scenario.schema.json; with ``--check``, only report whether the schema is up to date."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.scenario import Scenario

TARGET = Path(__file__).parents[1] / "docs" / "scenario.schema.json"


def schema() -> str:
    """Return the JSON Schema that editors use to complete and check scenarios."""
    model = Scenario.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **model}, indent=2) + "\n"


def main() -> int:
    """Write the schema; with ``--check``, compare it instead and return 1 if it is out of date."""
    if sys.argv[1:] == ["--check"]:
        if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == schema():
            return 0
        sys.stderr.write(f"{TARGET.name} is out of date. Run python scripts/scenario_schema.py.\n")
        return 1
    TARGET.write_text(schema(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
