"""The layout on disk is what is installed, floors hold, and importing the package stays light."""

import configparser
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import gan_bifurcation as gb

ROOT = Path(__file__).parent.parent

# Everything that the package uses beyond numpy: none of it may load before it is needed (NUMERICS.md 26).
HEAVY = [
    "sympy",
    "numba",
    "scipy",
    "networkx",
    "shapely",
    "matplotlib",
    "pydantic",
    "jinja2",
    "rich",
    "click",
    "PyDSTool",
]


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_on_disk_is_listed_in_setup_cfg() -> None:
    listed = set(setup()["options"]["packages"].split())
    on_disk = {"gan_bifurcation"}
    for folder, prefix in (("gan_bifurcation", ""), ("models", "models."), ("continuation", "continuation.")):
        for init in (ROOT / folder).rglob("__init__.py"):
            name = ".".join(init.parent.relative_to(ROOT / folder).parts)
            on_disk.add(f"gan_bifurcation.{prefix}{name}".rstrip("."))
    assert listed == on_disk


@pytest.mark.parametrize("name", ["models", "continuation"])
def test_the_links_in_the_tree_are_relative_and_lead_to_the_folders_at_the_top(name: str) -> None:
    link = ROOT / "gan_bifurcation" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name
    assert setup()["options"]["package_dir"].split().count(name) == 1


def test_the_tests_are_no_package() -> None:
    assert not (ROOT / "tests" / "__init__.py").exists()


def test_imports_go_only_downwards() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr


def test_importing_the_package_loads_numpy_at_most() -> None:
    code = (
        "import json, sys, gan_bifurcation; print(json.dumps(list({name.partition('.')[0] for name in sys.modules})))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(json.loads(run.stdout))
    assert "gan_bifurcation" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("name", sorted(set(gb.__all__) - {"__version__"}))
def test_every_public_name_loads(name: str) -> None:
    assert getattr(gb, name) is getattr(gb, name)
    assert name in dir(gb)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'bifurcate'"):
        _ = gb.bifurcate
    with pytest.raises(AttributeError, match="Did you mean 'kernel_gan'"):
        _ = gb.models.kernel_gam


def test_a_module_does_not_hide_the_public_function_of_its_name() -> None:
    # gan_bifurcation/system.py and the function gb.system share a name; Python would put the module in its place.
    importlib.import_module("gan_bifurcation.system")
    assert callable(gb.system)


def test_the_installed_version_is_the_package_version() -> None:
    assert setup()["metadata"]["version"] == "attr: gan_bifurcation.__version__"
    assert gb.__version__ == "0.1.0"
