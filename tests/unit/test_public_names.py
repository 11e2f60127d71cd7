"""The public names: what ``from harness import ...`` offers."""

import harness


def test_all_lists_exactly_the_public_names_in_order() -> None:
    """__all__ is sorted, and holds every name that has no underscore and is no module."""
    module = type(harness)

    names = {name for name in vars(harness) if not name.startswith("_")}
    public = {name for name in names if not isinstance(getattr(harness, name), module)}

    assert sorted(harness.__all__) == list(harness.__all__)
    assert public == set(harness.__all__)
