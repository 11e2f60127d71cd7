"""Remember the versions of Chrome and Playwright with which all tests of Chrome's behavior have passed.

``python -m tests.expectations.observed`` runs all of them, and stores the versions if they pass.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from harness.browser.chrome import Chrome

_HERE: Final = Path(__file__).parent
_FILE: Final = _HERE / "observed.json"


@dataclass(frozen=True)
class Observed:
    """The versions of Chrome and Playwright, for example ``156.0.8078.79`` and ``1.65.0``."""

    chrome: str
    playwright: str

    @classmethod
    def read(cls) -> Observed:
        """Return the versions that were stored last."""
        return cls(**json.loads(_FILE.read_text(encoding="utf-8")))

    def write(self) -> None:
        """Store the versions."""
        _FILE.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Run all tests in their full form; if they pass, store the versions. Return pytest's exit code."""
    tests = [sys.executable, "-m", "pytest", str(_HERE)]
    code = subprocess.run(tests, env={**os.environ, "HARNESS_FULL": "1"}, check=False).returncode
    if code == 0:
        with Chrome() as chrome:
            Observed(chrome=chrome.version, playwright=metadata.version("playwright")).write()
    return code


if __name__ == "__main__":
    sys.exit(main())
