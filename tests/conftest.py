"""What several test files share: one small study, run once by the command line with all that it writes."""

from pathlib import Path

import pytest

from gan_bifurcation.cli import main


@pytest.fixture(scope="session")
def henon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study ``henon.toml`` and its results in ``out``; whoever changes something copies it."""
    folder = tmp_path_factory.mktemp("henon")
    (folder / "henon.toml").write_text((Path(__file__).parent / "henon.toml").read_text())
    with pytest.raises(SystemExit) as stop:
        main(["run", str(folder / "henon.toml"), "--out", str(folder / "out"), "--jobs", "2"])
    assert stop.value.code == 0
    return folder
