"""Record WebRTC calls in real Chrome, and verify what ended up in the recording.

Input: calls to the functions and classes in ``__all__``. Output: recordings with their manifests, and reports on them.
Called by tests and programs. The command line is in ``harness.cli``, the pytest plugin in ``harness.pytest_plugin``.
"""


def _attach() -> None:
    """Make lazy_loader import each public name on first use; __init__.pyi lists the names.

    The command line uses none of these names, so it does not have to wait for lazy_loader to read __init__.pyi.
    """
    import lazy_loader

    get, names, public = lazy_loader.attach_stub(__name__, __file__)
    globals().update(__getattr__=get, __dir__=names, __all__=public)


def __getattr__(name: str) -> object:
    _attach()
    return globals()[name] if name in globals() else globals()["__getattr__"](name)


def __dir__() -> list[str]:
    _attach()
    return globals()["__dir__"]()
