"""Examples in docstrings run on the module that is installed, never on a second copy of it from the tree."""

from importlib import import_module
from pathlib import Path

import pytest

# Two processes that begin with the same kernels compile each of them twice: one begins with the tracer's, the other
# with files that need few kernels.
# Then one compiles what cycles need, which takes longest of all, beside files without any.
FIRST = (
    "test_continuation_hard", "test_pydstool_register", "test_pydstool_bridge", "test_mixture_gan", "test_judge",
    "test_codimension_two_cycles",
)  # fmt: skip

PACKAGE = Path(__file__).parent / "gan_bifurcation"


def pytest_collect_file(file_path: Path) -> None:
    """Import a module of the package by its name before pytest looks for it at its path."""
    if file_path.suffix == ".py" and file_path.is_relative_to(PACKAGE) and file_path.stem != "__main__":
        name = ".".join(file_path.relative_to(PACKAGE.parent).with_suffix("").parts)
        import_module(name.removesuffix(".__init__"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what compiles side by side first, and leave the rest in its order."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
