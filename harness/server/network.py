"""By which names the server is reached, and by whom."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

import psutil

LOOPBACK: Final = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Tell whether a server on this address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_of(host: str) -> list[str]:
    """Return the names by which a server on this address is reached, as they stand in its page's address."""
    if is_loopback(host):
        return list(dict.fromkeys((_bracketed(host), "localhost")))
    if not _is_any(host):
        return [_bracketed(host)]
    addresses = [
        one.address
        for name, state in psutil.net_if_stats().items()
        if state.isup
        for one in psutil.net_if_addrs().get(name, ())
        if one.family is socket.AF_INET or (one.family is socket.AF_INET6 and ":" in host)
    ]
    # Addresses with a zone are no names of pages (RFC 6874); this machine's own come last.
    plain = sorted((one for one in addresses if "%" not in one), key=is_loopback)
    return list(dict.fromkeys((*map(_bracketed, plain), socket.gethostname(), socket.getfqdn(), "localhost")))


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
