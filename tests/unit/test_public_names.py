"""The public names: what ``from harness import ...`` offers."""

import harness


def test_all_lists_exactly_the_public_names_in_order() -> None:
    """__all__ is sorted, and holds every name that has no underscore and is no module."""
    module = type(harness)

    public = {name for name, value in vars(harness).items() if not name.startswith("_") and not isinstance(value, module)}

    assert sorted(harness.__all__) == list(harness.__all__)
    assert public == set(harness.__all__)
