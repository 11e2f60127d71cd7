"""Records a WebRTC room in real Chrome into one WebM, and judges the file."""


def _attach() -> None:
    """Let lazy_loader import each public name when it is first used; __init__.pyi has the names.

    The command line uses none of them, and does not have to wait until lazy_loader has read that file.
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
