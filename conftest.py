"""Examples in docstrings run on the module that is installed, never on a second copy of it from the tree."""

from importlib import import_module
from pathlib import Path

PACKAGE = Path(__file__).parent / "gan_bifurcation"


def pytest_collect_file(file_path: Path) -> None:
    """Import a module of the package by its name before pytest looks for it at its path."""
    if file_path.suffix == ".py" and file_path.is_relative_to(PACKAGE) and file_path.stem != "__main__":
        name = ".".join(file_path.relative_to(PACKAGE.parent).with_suffix("").parts)
        import_module(name.removesuffix(".__init__"))
