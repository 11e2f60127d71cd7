"""Only the harness's server is added to the hosts that bypass a context's proxy."""

from typing import Any

import pytest

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
