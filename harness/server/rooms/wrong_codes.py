"""WrongCodes limits how often a client can try wrong join codes."""

from __future__ import annotations

import logging

from harness.server.access.limits import Rate

_log = logging.getLogger(__name__)


class WrongCodes:
    """Counts each client's wrong codes against a rate per second, and logs one warning per client that exceeds it."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._rates: dict[str, Rate] = {}
        self._reported: set[str] = set()

    def may_try(self, client: str) -> bool:
        """Return whether a code from this client may be checked now."""
        rate = self._rates.get(client)
        return rate is None or rate.can_accept

    def add(self, client: str) -> None:
        """Count a wrong code from a client."""
        self._rates = {one: rate for one, rate in self._rates.items() if not rate.is_unused}
        self._reported &= self._rates.keys()
        rate = self._rates.setdefault(client, Rate(self._per_second))
        rate.accept()
        if not rate.can_accept and client not in self._reported:
            self._reported.add(client)
            _log.warning(
                "A client tries many wrong codes: only %g per second are checked from its address.", self._per_second
            )
