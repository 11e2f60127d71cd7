"""Generate docs/scenario.schema.json; with ``--check``, only report whether the schema is up to date."""

from __future__ import annotations

import json
import sys

from checkout import ROOT, write_or_check

from harness.scenario import Scenario

TARGET = ROOT / "docs" / "scenario.schema.json"


def schema() -> str:
    """Return the JSON Schema that editors use to complete and check scenarios."""
    model = Scenario.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **model}, indent=2) + "\n"


def main() -> int:
    """Write the schema; with ``--check``, compare it instead and return 1 if it is out of date."""
    return write_or_check(TARGET, schema())


if __name__ == "__main__":
    sys.exit(main())
