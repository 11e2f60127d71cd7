"""Let the harness's own connections bypass a browser's proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


def bypass_proxy(options: Mapping[str, Any], url: str, default: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return context options that make pages reach the server at ``url`` directly, and other servers through the proxy.

    ``options`` are Playwright's options for a browser context. ``default`` is the browser's proxy, which the
    context uses if ``options`` contains no proxy. Without a proxy, the options are returned unchanged.
    """
    proxy = options.get("proxy") or default
    if not proxy or proxy.get("server") == "per-context":
        return dict(options)
    # Playwright starts this list with the rule <-loopback>, which sends loopback addresses through the proxy. In
    # Chrome, later rules take precedence.
    bypass = ",".join(filter(None, (proxy.get("bypass"), urlsplit(url).netloc)))
    return {**options, "proxy": {**proxy, "bypass": bypass}}
