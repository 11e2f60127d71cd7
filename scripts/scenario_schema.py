"""``python scripts/scenario_schema.py``: write docs/scenario.schema.json; ``--check`` only compares it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.scenario import Scenario

TARGET = Path(__file__).parents[1] / "docs" / "scenario.schema.json"


def schema() -> str:
    """Return the JSON Schema with which editors complete and check scenarios."""
    model = Scenario.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **model}, indent=2) + "\n"


def main() -> int:
    """Write the schema, or compare it; return 1 if it differs."""
    if sys.argv[1:] == ["--check"]:
        if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == schema():
            return 0
        sys.stderr.write(f"{TARGET.name} is out of date. Run python scripts/scenario_schema.py.\n")
        return 1
    TARGET.write_text(schema(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
