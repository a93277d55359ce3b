"""Own games: in Python, in a file, in a package; the page of the docs that shows them; mistakes in one sentence."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

import gan_bifurcation as gb
from gan_bifurcation.cli import main

PAGE = Path(__file__).parent.parent / "docs" / "own-games.md"

GAME = """
name = "noisy"
description = "One weight against one point."
parameters = {gamma = 0.3, s = 0.5}
random = [{variables = ["eps"], rule = "gauss_hermite", nodes = 20}]
[discriminator]
states = ["psi"]
loss = "-mean(tanh(psi*(theta + s*eps))) + gamma/2*psi**2"
[generator]
states = ["theta"]
[equilibria.origin]
psi = "0"
theta = "0"
condition = "gamma"
[symmetries."half turn"]
psi = "-psi"
theta = "-theta"
[domain]
"9 - theta**2" = "The point ran away."
"""


# Of an array on disk, up to its shape: 68 characters follow the ten of the magic.
HEADER = b"\x93NUMPY\x01\x00\x44\x00{'descr': '<f8', 'fortran_order': False, 'shape': "


def blocks() -> list[tuple[str, str]]:
    """Language and text of every code block of the page."""
    return re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def write(folder: Path, text: str = GAME, name: str = "game.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def changed(old: str, new: str) -> str:
    assert old in GAME
    return GAME.replace(old, new)


# -- the page of the docs -------------------------------------------------------------------------------------------


def test_every_block_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    kinds = []
    for language, text in blocks():
        kinds.append(language)
        assert text.count("\n") < 20, "the page shows everything in under 20 lines"
        if language == "python":
            exec(compile(text, "own-games.md", "exec"), names)  # noqa: S102
        elif language == "toml":
            name = text.split()[1]
            (tmp_path / name).write_text(text, encoding="utf-8")
        else:
            for line in text.splitlines():
                with pytest.raises(SystemExit) as stop:
                    main(line.split()[1:])
                assert stop.value.code == 0
    assert kinds.count("python") == 4
    assert (tmp_path / "results" / "report.html").exists()
    # Results hold the game, so that they can be read without the folder that they came from.
    (tmp_path / "noisy.toml").unlink()
    assert gb.load("results").systems[""].game.name == "noisy"


# -- files ----------------------------------------------------------------------------------------------------------


def test_a_game_from_a_file_is_the_game_written_in_python(tmp_path: Path) -> None:
    game = gb.load_game(write(tmp_path))
    gb.check_game(game)
    field = gb.system(game, gb.Flow()).rhs(np.array([0.4, 0.7]), np.array([1.0, 1.0, 0.3, 0.5]))
    # By hand: psi' = E (theta + s eps) sech(psi (theta + s eps))^2 - gamma psi, with a fine Riemann sum over eps.
    eps = np.linspace(-8, 8, 4001)
    weight = np.exp(-(eps**2) / 2) / np.sqrt(2 * np.pi) * (eps[1] - eps[0])
    x = 0.7 + 0.5 * eps
    slope = np.cosh(0.4 * x) ** -2.0
    assert field[0] == pytest.approx(np.sum(weight * x * slope) - 0.3 * 0.4, abs=1e-8)
    assert field[1] == pytest.approx(-np.sum(weight * 0.4 * slope), abs=1e-8)
    (origin,) = game.equilibria
    assert (origin.condition, origin.holds({"gamma": 0.3})) == ("gamma", True)


def test_samples_are_read_from_csv_and_npy_and_inline(tmp_path: Path) -> None:
    values = [[0.5, 1.0], [1.5, -1.0], [-0.25, 3.0]]
    np.save(tmp_path / "points.npy", np.array(values))
    (tmp_path / "points.csv").write_text("y,x\n" + "\n".join(f"{y},{x}" for x, y in values))
    text = changed('random = [{variables = ["eps"], rule = "gauss_hermite", nodes = 20}]', "random = [{RANDOM}]")
    text = text.replace("tanh(psi*(theta + s*eps))", "psi*x*y*(theta + s)")
    sources = ['file = "points.npy"', 'file = "points.csv"', f"sample = {values}"]
    for source in sources:
        game = gb.load_game(write(tmp_path, text.replace("RANDOM", f'variables = ["x", "y"], {source}')))
        # The mean of x y over the three rows: (0.5 - 1.5 - 0.75)/3.
        rate = gb.system(game, gb.Flow()).rhs(np.array([0.0, 1.0]), np.array([1.0, 1.0, 0.3, 0.5]))[0]
        assert rate == pytest.approx(1.5 * (0.5 - 1.5 - 0.75) / 3, abs=1e-14)


def test_independent_variables_give_the_product_of_their_rules(tmp_path: Path) -> None:
    text = changed("nodes = 20}]", 'nodes = 20}, {variables = ["u"], rule = "gauss_legendre", nodes = 8, low = 0.0}]')
    game = gb.load_game(write(tmp_path, text.replace("tanh(psi*(theta + s*eps))", "psi*theta*u**2*eps**2")))
    # E u^2 on [0, 1] is 1/3 and E eps^2 is 1.
    rate = gb.system(game, gb.Flow()).rhs(np.array([0.0, 1.0]))[0]
    assert rate == pytest.approx(1 / 3, abs=1e-13)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (changed("s*eps", "s*epps"), "Unknown name in an expression 'epps'. Did you mean 'eps'?"),
        (changed("+ gamma/2", "+ eps*gamma/2"), "the random variable 'eps' occurs outside of mean"),
        (changed("tanh(psi", "mean(psi"), "none inside another one"),
        (changed("tanh(psi*(theta + s*eps))", "psi*theta"), "holds no random variable; known ones: eps"),
        (changed('states = ["theta"]', 'states = ["psi"]'), "uses the name 'psi' twice: both players move it"),
        (changed("gamma/2*psi**2", "gamma/2*theta**2").replace("psi*(theta + s*eps)", "theta*eps"),
         "depends on none of its own states (psi), so that it never moves"),
        (changed('states = ["theta"]', 'states = ["theta"]\nrate = "lr"'), "generator is 'eta_g', but got 'lr'"),
        (changed('states = ["theta"]', 'states = "theta"'), "needs 'states', a list of names"),
        (changed("gamma = 0.3", "gamma = nan"), "The parameter 'gamma' of the game 'noisy' needs a finite number"),
        (changed('rule = "gauss_hermite", nodes = 20', "sample = [0.1, nan]"), "not finite in row 2; remove the row"),
        (changed('rule = "gauss_hermite", nodes = 20', "sample = [[0.1, 1.0]]"), "needs rows of 1 numbers for eps"),
        (changed('rule = "gauss_hermite", nodes = 20', 'sample = ["x"]'), "is a list of numbers"),
        (changed('rule = "gauss_hermite", nodes = 20', 'file = "../x.csv"'), "lies outside the folder of the game"),
        (changed('rule = "gauss_hermite", nodes = 20', 'file = "x.pkl"'), "a .csv or .npy file, but got 'x.pkl'"),
        (changed('rule = "gauss_hermite", nodes = 20', 'file = "no.csv"'), "does not exist"),
        (changed('"gauss_hermite"', '"gauss_hermit"'), "Did you mean 'gauss_hermite'?"),
        (changed("nodes = 20", "nodes = 100000"), "from 1 to 150, but got 100000"),
        (changed("nodes = 20", "node = 20"), "Unknown key of 'random[1]' 'node'. Did you mean 'nodes'?"),
        (changed('"eps"', '"psi"').replace("s*eps", "s*psi"), "The random variable 'psi' in the discriminator's loss"),
        (changed('psi = "0"', "psi = 0"), "[equilibria.origin] gives each state as text"),
        (changed('psi = "0"', 'ps = "0"'), "Did you mean 'psi'?"),
        (changed("[generator]", "[generators]"), "Unknown key 'generators'. Did you mean 'generator'?"),
        (changed('[generator]\nstates = ["theta"]', ""), "lacks the section [generator]"),
        (changed("tanh(", "__import__('os').system("), "only the known functions can be called"),
        ("x = ", "is not valid TOML"),
    ],
)  # fmt: skip
def test_every_mistake_in_a_file_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(gb.MisuseError) as caught:
        gb.load_game(write(tmp_path, text))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "game.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("x.npy", HEADER + b"(99999999999,), }\n", "no array of numbers"),
        ("x.npy", HEADER + b"(99999999999,),    ", "no array of numbers"),
        ("x.npy", b"cos\nsystem\n(S'true'\ntR.", "no array of numbers"),
        ("x.csv", b"eps\n1.0\nnan\n", "not finite in row 2"),
        ("x.csv", b"eps\n1.0\nmuch\n", "Row 2 of the sample 'x.csv' lacks a number"),
        ("x.csv", b"noise\n1.0\n", "Unknown column of 'x.csv' 'eps'. Known: noise."),
        ("x.csv", b"\xff\xfe", "no table of comma-separated numbers"),
        ("x.csv", b"", "needs rows of 1 numbers"),
    ],
)  # fmt: skip
def test_samples_that_are_none_are_refused(name: str, data: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(gb.MisuseError) as caught:
        gb.load_game(write(tmp_path, changed('rule = "gauss_hermite", nodes = 20', f'file = "{name}"')))
    assert sentence in str(caught.value)


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(gb.MisuseError, match="no array of numbers"):
        gb.load_game(write(tmp_path, changed('rule = "gauss_hermite", nodes = 20', 'file = "x.npy"')))


def test_mistakes_in_python_are_one_sentence() -> None:
    psi, theta = gb.symbol("psi"), gb.symbol("theta")

    def game(loss: sympy.Expr = psi * theta, other: sympy.Expr = -psi * theta, rate: str = "eta_g") -> gb.Game:
        return gb.Game("mine", gb.Player(("psi",), loss, "eta_d"), gb.Player(("theta",), other, rate))

    for arguments, sentence in [
        ({"loss": psi * gb.symbol("thet")}, "Unknown name in the discriminator's loss of 'mine' 'thet'. Did you mean"),
        ({"other": psi**2}, "The generator's loss of 'mine' depends on none of its own states"),
        ({"rate": "learning_rate"}, "are 'eta_d' and 'eta_g', but 'mine' has 'eta_d' and 'learning_rate'"),
    ]:
        with pytest.raises(gb.MisuseError) as caught:
            game(**arguments)
        assert sentence in str(caught.value)
    with pytest.raises(gb.MisuseError, match="not finite: remove those rows"):
        gb.NodeTable("sample", (gb.symbol("z"),), np.array([1.0, np.nan]), np.array([0.5, 0.5]))


# -- studies --------------------------------------------------------------------------------------------------------

STUDY = """
title = "Mine"
[system]
game = "game.toml"
rule = "flow"
[[branch]]
name = "penalty"
free = {gamma = [0.1, 0.6]}
"""


def test_a_changed_game_is_computed_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    study = write(tmp_path, STUDY, "study.toml")

    def begun() -> list[str]:
        seen: list[Any] = []
        gb.run_study(study, tmp_path / "out", progress=seen.append)
        return [p.part for p in seen if p.event == "begins"]

    write(tmp_path)
    assert begun() == ["branch-penalty"]
    assert begun() == []
    write(tmp_path, changed("s = 0.5", "s = 0.4"))
    assert begun() == ["branch-penalty"]


@pytest.mark.parametrize(
    ("game", "sentence"),
    [
        ("../game.toml", "in the study's folder or below"),
        ("/etc/passwd", "in the study's folder or below"),
        ("tables/game.toml", "Results have files of the name 'tables'"),
        ("nowhere.toml", "does not exist"),
    ],
)
def test_a_study_reads_games_of_its_own_folder_only(game: str, sentence: str, tmp_path: Path) -> None:
    study = write(tmp_path, STUDY.replace("game.toml", game), "study.toml")
    with pytest.raises(gb.StudyFileError, match=re.escape(sentence)) as caught:
        gb.run_study(study, tmp_path / "out")
    assert str(caught.value).startswith("In 'system': ")


# -- packages -------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small distribution with four entry points: a good one, a broken one, a clash and a non-name."""
    info = tmp_path / "others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[gan_bifurcation.models]\nother_gan = others_games:other_gan\nbroken_gan = others_broken:broken_gan\n"
        "lost_gan = others_games:nowhere\ndirac_gan = others_games:other_gan\n2-gan = others_games:other_gan\n"
        "no_game = others_games:no_game\n"
    )
    (tmp_path / "others_games.py").write_text(
        "import gan_bifurcation as gb\n"
        "def other_gan(*, strength=1.0):\n"
        "    '''A model of somebody else.'''\n"
        "    game = gb.models.bilinear(strength=strength)\n"
        "    return game\n"
        "def no_game():\n"
        "    return 3\n"
    )
    (tmp_path / "others_broken.py").write_text("raise RuntimeError('out of order')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("others_games", "others_broken"):
        sys.modules.pop(name, None)


def test_a_package_adds_models_by_an_entry_point(package: Path) -> None:
    assert "other_gan" in gb.models.names()
    assert "others_games" not in sys.modules
    assert gb.models.other_gan(strength=2.0).parameters == {"strength": 2.0}
    assert gb.models.get("dirac_gan").__module__ == "gan_bifurcation.models.dirac_gan"
    with pytest.raises(gb.UnknownNameError, match="Did you mean 'other_gan'"):
        gb.models.get("othr_gan")


def test_what_is_wrong_with_a_package_is_said_and_breaks_nothing_else(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clash, name = sorted(gb.models.problems())
    assert "adds a model 'dirac_gan', but ours has this name" in clash
    assert "under '2-gan', which is no name" in name
    for broken, said in [("broken_gan", "RuntimeError: out of order"), ("lost_gan", "nowhere")]:
        with pytest.raises(gb.MisuseError, match=said) as caught:
            gb.models.get(broken)
        assert str(caught.value).startswith(f"The model '{broken}' of the package 'others' does not load")
    with pytest.raises(SystemExit) as stop:
        main(["show", "other_gan", "--setting", "strength=2.0", "--rule", "flow"])
    shown = capsys.readouterr().out
    assert stop.value.code == 0
    assert "psi' = eta_d*strength*theta" in shown
    with pytest.raises(SystemExit) as stop:
        main(["show", "no_game"])
    assert "returns no Game, but a int" in capsys.readouterr().err
    assert stop.value.code == 2
