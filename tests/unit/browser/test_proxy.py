"""Connections to this machine bypass proxies: those of a context, and those that the environment specifies."""

import os
from typing import Any

import pytest

from harness.browser.chrome import steady_driver
from harness.browser.proxy import bypass_proxy

pytestmark = pytest.mark.parallel

_URL = "http://127.0.0.1:8080"
_PROXY = {"server": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("options", "default", "expected"),
    [
        ({}, None, {}),
        ({"locale": "de"}, None, {"locale": "de"}),
        ({"proxy": _PROXY}, None, {"proxy": {**_PROXY, "bypass": "127.0.0.1:8080"}}),
        ({}, _PROXY, {"proxy": {**_PROXY, "bypass": "127.0.0.1:8080"}}),
        (
            {"proxy": {**_PROXY, "bypass": ".example", "username": "a"}},
            {"server": "http://other:1"},
            {"proxy": {**_PROXY, "bypass": ".example,127.0.0.1:8080", "username": "a"}},
        ),
        ({}, {"server": "per-context"}, {}),
    ],
)
def test_server_is_excluded_from_the_proxy(
    options: dict[str, Any], default: dict[str, Any] | None, expected: dict[str, Any]
) -> None:
    """The context's proxy takes precedence over the browser's."""
    assert expected == bypass_proxy(options, _URL, default)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "localhost,127.0.0.1,::1,[::1]"),
        ({"NO_PROXY": ".example.com, 10.0.0.0/8"}, ".example.com, 10.0.0.0/8,localhost,127.0.0.1,::1,[::1]"),
        ({"NO_PROXY": "upper", "no_proxy": "lower"}, "lower,localhost,127.0.0.1,::1,[::1]"),
        ({"NO_PROXY": "upper", "no_proxy": ""}, "upper,localhost,127.0.0.1,::1,[::1]"),
        ({"no_proxy": "*"}, "*"),
    ],
)
def test_driver_reaches_this_machine_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: str
) -> None:
    """The user's list of hosts without a proxy is extended only while a driver is started."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)

    with steady_driver():
        during = os.environ["no_proxy"]

    assert expected == during
    assert before == dict(os.environ)
