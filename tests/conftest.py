"""What several test files share: a small study, run once by the command line, and quick builds of PyDSTool's C code."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_bifurcation.cli import main
from gan_bifurcation.interop import _builder


@pytest.fixture(scope="session")
def henon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study ``henon.toml`` and its results in ``out``; whoever changes something copies it."""
    folder = tmp_path_factory.mktemp("henon")
    (folder / "henon.toml").write_text((Path(__file__).parent / "henon.toml").read_text())
    with pytest.raises(SystemExit) as stop:
        main(["run", str(folder / "henon.toml"), "--out", str(folder / "out"), "--jobs", "2"])
    assert stop.value.code == 0
    return folder


@pytest.fixture(scope="module")
def built_in_haste() -> Iterator[None]:
    """Compile without optimisation what runs for a moment; test_pydstool_bridge.py compiles as users do."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_C_FLAGS", "_FORTRAN_FLAGS"):
            patch.setattr(_builder, name, ("-O0", *getattr(_builder, name)[1:]))
        yield
