"""Normalize host names, and list the host names at which clients can reach this server."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Final
from urllib.parse import urlsplit

import psutil

from harness.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"
# Browsers omit the default port of a scheme.
PORTS: Final = {"http": 80, "https": 443}
# Browsers send non-ASCII host names in Punycode (xn--).
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST_NAME: Final = 253
# Browsers treat any name whose last part is a number as an IPv4 address (WHATWG URL).
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_AUTHORITY: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?", re.ASCII)
_LARGEST_PORT: Final = 65_535
# Providers assign a /64 network to each customer, who can use every address in it.
_IPV6_PREFIX: Final = 64


def normal_host(name: str) -> str:
    """Return a host in its normal form: lower case, no trailing dot, IPv6 addresses compressed and without brackets.

    An IPv4 address in IPv6 notation is converted to IPv4 notation. Raises ValueError with the reason if the text is not
    a valid host.
    """
    if name.startswith("[") != name.endswith("]"):
        message = "a bracket is missing"
        raise ValueError(message)
    if name.startswith("["):
        name = name[1:-1]
        if ":" not in name:
            message = "only IPv6 addresses can have brackets"
            raise ValueError(message)
    if ":" in name:
        return _normal_ipv6(name)
    return _normal_name(name.lower().removesuffix("."))


def _normal_ipv6(text: str) -> str:
    if "://" in text or text.count(":") == 1:
        message = "it has a scheme" if "://" in text else "it has a port"
        raise ValueError(message)
    if "%" in text:
        message = "browsers can't open an IPv6 address with a zone ID"
        raise ValueError(message)
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError as error:
        message = "this is not a valid IPv6 address"
        raise ValueError(message) from error
    return str(address.ipv4_mapped or address)


def _normal_name(name: str) -> str:
    if not name:
        message = "it is empty"
        raise ValueError(message)
    if not name.isascii():
        message = "write the name in its ASCII form, which begins with xn--"
        raise ValueError(message)
    if len(name) > _LONGEST_NAME:
        message = f"the name is longer than {_LONGEST_NAME} characters"
        raise ValueError(message)
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError as error:
            message = "this is not a valid IPv4 address"
            raise ValueError(message) from error
    if not all(_LABEL.fullmatch(label) for label in labels):
        message = "each part between dots must consist of 1 to 63 letters, digits and hyphens"
        raise ValueError(message)
    return name


def parse_host(option: str) -> str:
    """Return the value of ``--host`` in its normal form; raises ConfigError for a host that no browser could open."""
    try:
        return normal_host(option)
    except ValueError as error:
        message = (
            f"--host: {option[:_LONGEST_NAME]!r} is not an address: {error}. Give an address or a name without scheme "
            "and port, for example 127.0.0.1, and the port with --port."
        )
        raise ConfigError(message) from error


def normal_authority(text: str | None) -> str | None:
    """Return the normal form of a Host header (RFC 9110), with or without a port, or None if it is not valid."""
    match = _AUTHORITY.fullmatch(text or "")
    if match is None or int(match[2] or 0) > _LARGEST_PORT:
        return None
    try:
        host = bracketed(normal_host(match[1]))
    except ValueError:
        return None
    return f"{host}:{int(match[2])}" if match[2] else host


def normal_origin(text: str | None) -> str | None:
    """Return an origin as browsers send it (RFC 6454), or None if it is not a valid http or https origin.

    The result is in lower case, and has neither a trailing slash nor the default port of its scheme.
    """
    scheme, separator, rest = (text or "").partition("://")
    scheme = scheme.lower()
    authority = normal_authority(rest)
    if not separator or scheme not in PORTS or authority is None:
        return None
    return f"{scheme}://{authority.removesuffix(f':{PORTS[scheme]}')}"


def authorities_of(origin: str) -> frozenset[str]:
    """Return all Host header values that clients can send for an origin: with and without the default port."""
    parts = urlsplit(origin)
    usual = PORTS.get(parts.scheme)
    if usual is None or parts.port not in {None, usual}:
        return frozenset({parts.netloc})
    bare = parts.netloc.removesuffix(f":{usual}")
    return frozenset({bare, f"{bare}:{usual}"})


def client_of(address: str | None) -> str:
    """Return the key that identifies a client for limits: its IPv4 address, or the /64 network of its IPv6 address."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, _IPV6_PREFIX), strict=False))


def is_loopback(host: str) -> bool:
    """Return whether a server on this address is reachable only from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_any(host: str) -> bool:
    """Return whether a server on this address is reachable through every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def names_of(host: str) -> list[str]:
    """Return the host names of a server on this address, as they appear in the URLs of its pages."""
    if is_loopback(host):
        return list(dict.fromkeys((bracketed(host), "localhost")))
    if not is_any(host):
        return [bracketed(host)]
    interfaces = psutil.net_if_addrs()
    addresses = [
        one.address
        for name, state in psutil.net_if_stats().items()
        if state.isup
        for one in interfaces.get(name, ())
        if one.family is socket.AF_INET or (one.family is socket.AF_INET6 and ":" in host)
    ]
    # Loopback addresses come last.
    found = [*sorted(addresses, key=is_loopback), socket.gethostname(), socket.getfqdn(), "localhost"]
    names = (normal_authority(f"[{one}]" if ":" in one else one) for one in found)
    # URLs can't contain addresses with a zone (RFC 6874), and not every machine name is valid in a URL.
    return list(dict.fromkeys(name for name in names if name is not None))


def bracketed(host: str) -> str:
    """Return a host as it appears in a URL, with an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
