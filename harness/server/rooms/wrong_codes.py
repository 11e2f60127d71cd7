"""WrongCodes limits how often a client can try wrong join codes."""

from __future__ import annotations

import logging

from harness.server.access.limits import Rate

_log = logging.getLogger(__name__)


class WrongCodes:
    """Limits each client's wrong codes per second, and logs one warning for each client that exceeds the limit."""

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
                "A client is trying many wrong codes: only %g per second from its address are checked.",
                self._per_second,
            )
