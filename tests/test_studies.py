"""Studies: read safely, run part by part, resumed after a kill, held against claims."""

import json
import os
import shutil
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation.studies.plan import plan
from gan_bifurcation.studies.pools import beside
from gan_bifurcation.studies.reading import parse_study, read_study, shipped_studies
from gan_bifurcation.studies.running import Progress
from gan_bifurcation.studies.schema import MapSpec, SystemSpec
from gan_bifurcation.studies.systems import all_systems, evaluate

HENON = (Path(__file__).parent / "henon.toml").read_text()


def changed(old: str, new: str) -> str:
    assert old in HENON
    return HENON.replace(old, new)


@pytest.fixture(scope="module")
def results(henon: Path):
    return gb.load(henon / "out")


@pytest.fixture
def again(henon: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A study and finished results of it, which may be changed."""
    shutil.copytree(henon / "out", tmp_path / "out")
    shutil.copy(henon / "henon.toml", tmp_path)
    return tmp_path / "henon.toml", tmp_path / "out"


def test_a_study_gives_its_branches_curves_and_orbits(results) -> None:
    # Known: fixed points of the Henon map fold at a = -(1-b)^2/4 and double at 3(1-b)^2/4, their doubles at
    # (1-b)^2 + (1+b)^2/4.
    assert results["fixed"]["LP1"].parameters["a"] == pytest.approx(-0.1225, abs=1e-10)
    assert results["fixed"]["PD1"].parameters["a"] == pytest.approx(0.3675, abs=1e-10)
    assert results["two"]["PD1"].parameters["a"] == pytest.approx(0.7**2 + 1.3**2 / 4, abs=1e-9)
    assert results["run"]["verdict"] == "converges"
    assert sorted(results.curves) == ["flips"]


def test_claims_are_held_against_what_was_computed(results) -> None:
    assert [c.agrees for c in results.claims] == [True, True, False, True, True, True, True]
    assert results.claims[0].expected == "0.3675"
    assert results.claims[5].computed == "converges (spiralling)"


def test_results_load_again_with_versions_seeds_and_tolerances(results) -> None:
    loaded = gb.load(results.folder)
    assert np.array_equal(loaded["flips"].parameters, results["flips"].parameters)
    said = loaded.summary["provenance"]
    assert said["versions"]["gan_bifurcation"] == gb.__version__
    assert {"seed", "tolerances", "command"} <= set(said)
    assert (results.folder / "figures" / "diagram.svg").stat().st_size > 1000
    assert (results.folder / "study.toml").read_text() == HENON


def test_a_second_run_keeps_everything(results) -> None:
    stamps = {p: p.stat().st_mtime_ns for p in (results.folder / "branches").iterdir()}
    seen: list[Progress] = []
    gb.run_study(results.folder.parent / "henon.toml", results.folder, progress=seen.append)
    assert {p.event for p in seen} == {"kept"}
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps


def test_a_changed_study_is_noticed_and_only_what_it_concerns_is_computed_again(again: tuple[Path, Path]) -> None:
    path, out = again
    path.write_text(
        changed("b = 0.3}\n[[branch]]", "b = 0.3}\n\n[[branch]]").replace(
            "y = 0.5}\nsteps = 200", "y = 0.5}\nsteps = 300"
        )
    )
    seen: list[Progress] = []
    changed_results = gb.run_study(path, out, progress=seen.append)
    assert [p.part for p in seen if p.event == "begins"] == ["orbit-run"]
    assert any("has changed" in p.text for p in seen if p.event == "note")
    assert len(changed_results["run"]["states"]) == 301


def test_the_key_of_a_part_changes_with_what_it_is_made_from() -> None:
    def keys(text: str) -> dict[str, str]:
        file = parse_study(text)
        return {p.identifier: p.key for p in plan(file.study, all_systems(file.study))}

    before, after = keys(HENON), keys(changed("start = {x = 0.1, y = 0.1}", "start = {x = 0.2, y = 0.2}"))
    different = {name for name in before if before[name] != after[name]}
    assert different == {"branch-fixed", "branch-two", "curve-flips", "figure-diagram"}


def test_one_process_gives_the_same_results_as_two(results, tmp_path: Path) -> None:
    # The shared results were computed by two.
    path = tmp_path / "henon.toml"
    path.write_text(changed(_section("map"), ""))
    other = gb.run_study(path, tmp_path / "out")
    for name in ("fixed", "two", "flips"):
        assert np.array_equal(other[name].parameters, results[name].parameters)
        assert np.array_equal(other[name].states, results[name].states)
    assert other.claims == results.claims
    assert dict(other["radii"].numbers) == dict(results["radii"].numbers)


def _section(kind: str) -> str:
    """The text of the first section of a kind."""
    begin = HENON.index(f"[[{kind}]]")
    return HENON[begin : HENON.index("[[", begin + 2)]


def _run(path: Path, out: Path) -> None:
    gb.run_study(path, out)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_killed_run_goes_on_and_ends_with_the_same_results(results, tmp_path: Path) -> None:
    path, out = tmp_path / "henon.toml", tmp_path / "out"
    path.write_text(changed(_section("map"), ""))
    run = get_context("fork").Process(target=_run, args=(path, out))
    run.start()
    deadline = time.monotonic() + 60
    while not (out / "parts" / "branch-fixed.json").exists() and time.monotonic() < deadline and run.is_alive():
        time.sleep(0.001)
    run.kill()
    run.join()
    assert (out / "parts" / "branch-fixed.json").exists()
    seen: list[Progress] = []
    resumed = gb.run_study(path, out, progress=seen.append)
    assert "branch-fixed" in {p.part for p in seen if p.event == "kept"}
    for name in ("fixed", "two", "flips"):
        assert np.array_equal(resumed[name].parameters, results[name].parameters)
        assert np.array_equal(resumed[name].states, results[name].states)
    assert resumed.claims == results.claims


def test_a_damaged_part_is_computed_again(again: tuple[Path, Path]) -> None:
    path, out = again
    (out / "branches" / "fixed.npz").unlink()
    (out / "branches" / "two.json").write_text("{}")
    (out / "parts" / "curve-flips.json").write_text("{")
    (out / "tables" / "radii.json").write_text("{}")
    seen: list[Progress] = []
    gb.run_study(path, out, progress=seen.append)
    begun = {p.part for p in seen if p.event == "begins"}
    assert begun == {"branch-fixed", "branch-two", "curve-flips", "table-radii"}


def _read(text: str) -> None:
    file = parse_study(text)
    plan(file.study, all_systems(file.study))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title = ", "not valid TOML"),
        ('title = "x"', "computes nothing"),
        (
            changed('[[branch]]\nname = "fixed"', '[[branch]]\nnome = "fixed"'),
            r"Unknown key in branch\[1\] 'nome'. Did you mean 'name'",
        ),
        (changed("[[orbit]]", "[[orbits]]"), "Unknown key 'orbits'. Did you mean 'orbit'"),
        (
            changed("free = {a = [-1, 2], b", "free = {a = [2, -1], b"),
            r"In 'curve\[1\].free': the bounds 2 and -1 of a range are reversed",
        ),
        (changed("free = {a = [-1, 2], b", "free = {a = [-1, 2], c"), "In curve 'flips': Unknown parameter 'c'"),
        (changed("free = {a = [-1, 2], b", "free = {b"), r"In 'curve\[1\].free'"),
        (
            changed('from = "fixed:PD1"\nfree = {a = [-1, 2]}', 'from = "fixd:PD1"\nfree = {a = [-1, 2]}'),
            "Did you mean 'fixed'",
        ),
        (
            changed("parameters = {a = 0.1, b = 0.3}", "parameters = {a = nan, b = 0.3}"),
            r"In 'system.parameters.a': input should be a finite number, got 'nan'",
        ),
        (
            changed("initial = {x = 0.5, y = 0.5}", "initial = {x = inf, y = 0.5}"),
            r"In 'orbit\[1\].initial.x': input should be a finite number",
        ),
        (changed("free = {a = [-1, 2], b", f"free = {{a = '{'1' * 2000}', b"), r"In 'curve\[1\].free'"),
        (changed("y = 0.5}\nsteps = 200", 'y = 0.5}\nsteps = "many"'), r"In 'orbit\[1\].steps'"),
        (changed("y = 0.5}\nsteps = 200", "y = 0.5}\nsteps = 10000000000"), r"In 'orbit\[1\].steps'"),
        (
            changed("initial = {x = 0.5, y = 0.5}", "initial = {X = 0.5, y = 0.5}"),
            "Unknown state 'X'. Did you mean 'x'",
        ),
        (changed('name = "two"', 'name = "fixed"'), "the name 'fixed' is used twice"),
        (changed('name = "two"', 'name = "../two"'), r"In 'branch\[2\].name'"),
        (
            changed('from = "fixed:PD1"\nfree = {a = [-1, 2]}', 'from = "two:PD1"\nfree = {a = [-1, 2]}'),
            "begins at a point of itself",
        ),
        (changed('of = ["fixed", "two"]', 'of = ["fixed", "tow"]'), "Did you mean 'two'"),
        (changed('kind = "map"', 'kind = "mapp"'), "In 'system.kind'"),
        (changed('"kernel_radii"', '"kernel_radius"'), "In table 'radii': Unknown table 'kernel_radius'. Did you mean"),
        (changed("cells = 8", "cell = 8"), "setting of the table 'kernel_radii' 'cell'. Did you mean 'cells'"),
        (
            changed("cells = 8", "cells = {n = 8}"),
            r"In 'table\[1\].settings.cells': expected a number, text, true, false or a list",
        ),
        (
            changed('orbit = "run"\nverdict = "converges"', 'orbit = "run"'),
            "about an orbit needs 'value' and 'expected' or",
        ),
        (changed('orbit = "run"\nverdict', 'orbit = "rum"\nverdict'), "Did you mean 'run'"),
        (
            changed('table = "radii"\n', 'table = "radii"\norbit = "run"\n'),
            "about one of 'point', 'curve', 'map', 'table', 'noise', 'basins' or",
        ),
        (changed('kind = "bifurcation_diagram"', 'kind = "lines"'), "needs 'x' and 'y'"),
        (
            changed('kind = "bifurcation_diagram"', 'kind = "lines"\nlog = "w"'),
            r"In 'figure\[1\].log': input should be '', 'x', 'y', 'z', 'xy'",
        ),
        (changed('kind = "bifurcation_diagram"', 'kind = "landscape"'), "needs a 'field'"),
        (
            HENON + '[[map]]\nname = "m"\nfree = {a = [0, 1]}\nsteps = 10\n',
            "In map 'm': A run needs at least 64 steps of a map",
        ),
        (changed('kind = "map"\nequations', 'game = "x.toml"\nequations'), "one of 'model', 'game' and 'equations'"),
    ],
)
def test_every_fault_of_a_file_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(gb.StudyFileError, match=sentence) as caught:
        _read(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "attack",
    [
        "__import__('os').system('touch {mark}')",
        "().__class__.__bases__",
        "open('{mark}', 'w')",
        "exec('1')",
        "x.__class__",
        "a if 1 else b",
        "lambda: 1",
    ],
)
@pytest.mark.parametrize("place", ['"a - x**2 + b*y"', '"3*(1 - b)**2/4"', '"a - 3*(1 - b)**2/4"'])
def test_an_expression_that_tries_to_run_code_is_refused(attack: str, place: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    path = tmp_path / "bad.toml"
    path.write_text(HENON.replace(place, json.dumps(attack.format(mark=mark)), 1))
    with pytest.raises(gb.StudyFileError) as caught:
        gb.run_study(path, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_values_of_claims_are_arithmetic_only() -> None:
    assert evaluate("abs(a) - sqrt(4)", {"a": -3.0}) == 1.0
    with pytest.raises(gb.MisuseError, match="no real value"):
        evaluate("sqrt(a)", {"a": -1.0})


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "start = {x = 0.1, y = 0.1}",
            "start = {x = 50.0, y = -50.0}\nparameters = {a = -0.9}",
            "Newton's method found no fixed point",
        ),
        ("parameters = {a = 0.2}", "parameters = {A = 0.2}", "Did you mean 'a'"),
        ('from = "fixed:PD1"\nfree = {a = [-1, 2]}', 'from = "fixed:PD7"\nfree = {a = [-1, 2]}', "Did you mean 'PD1'"),
        ('from = "fixed:PD1"\nfree = {a = [-1, 2]}', 'from = "fixed:LP1"\nfree = {a = [-1, 2]}', "a BP .* a PD .* NS"),
        ("y = 0.5}\nsteps = 200", "y = 0.5}\nduration = 3.0", "give 'steps'"),
        ("start = {x = 0.1, y = 0.1}", "start = {x = 0.1, y = 0.1}\nparameters = {a = 9.0}", "outside its window"),
        ("cells = 8", "cells = 1000000", "whole number from 2 to 1000"),
        ("cells = 8", 'cells = "many"', "whole number from 2 to 1000"),
        ("eta_d = 0.1}", 'eta_d = "fast"}', "does not take these settings"),
        ('of = ["fixed", "two"]', 'of = ["run"]', "is drawn of branches or curves, but 'run' is none of these"),
    ],
)
def test_a_run_that_cannot_be_done_says_which_part_and_why(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "henon.toml"
    path.write_text(changed(old, new).replace(_section("map"), ""))
    with pytest.raises(gb.StudyFileError, match=sentence) as caught:
        gb.run_study(path, tmp_path / "out")
    assert str(caught.value).startswith("In ")


def test_models_rules_and_settings_have_nearest_names() -> None:
    head = 'title = "x"\n[[branch]]\nname = "b"\nfree = {eta_d = [0.1, 1.0]}\n[system]\n'
    for section, sentence in [
        ('model = "kernel_gam"\nrule = "flow"', "Unknown model 'kernel_gam'. Did you mean 'kernel_gan'"),
        ('model = "dirac_gan"\nrule = "simultanous"', "Did you mean 'simultaneous'"),
        ('model = "dirac_gan"\nrule = "flow"\nsettings = {gama = 1.0}', "Did you mean 'gamma'"),
        ('model = "dirac_gan"\nrule = "flow"\nparameters = {gama = 1.0}', "Did you mean 'gamma'"),
        ('model = "kernel_gan"\nrule = "flow"\nsettings = {sigma = -1.0}', "sigma"),
        ('model = "kernel_gan"\nrule = "flow"\nsettings = {points = 1000000}', "expected at most 10000"),
    ]:
        with pytest.raises(gb.StudyFileError, match=sentence):
            all_systems(parse_study(head + section).study)


def test_large_and_binary_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "large.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(gb.StudyFileError, match="larger than"):
        read_study(tmp_path / "large.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(gb.StudyFileError, match="UTF-8"):
        read_study(tmp_path / "binary.toml")
    (tmp_path / "deep.toml").write_text("x = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(gb.StudyFileError, match="TOML"):
        read_study(tmp_path / "deep.toml")
    with pytest.raises(gb.UnknownNameError, match="Did you mean 'kernel-gan'"):
        read_study("kernel-gna")


def test_folders_that_cannot_serve_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "henon.toml"
    path.write_text(HENON)
    (tmp_path / "file").write_text("")
    with pytest.raises(gb.ResultsError, match="is a file"):
        gb.run_study(path, tmp_path / "file")
    with pytest.raises(gb.ResultsError, match="holds other files"):
        gb.run_study(path, tmp_path)
    with pytest.raises(gb.ResultsError, match=r"Cannot (write|read)"):
        gb.run_study(path, tmp_path / "file" / "inside")
    with pytest.raises(gb.ResultsError, match="holds no results"):
        gb.load(tmp_path)
    with pytest.raises(gb.MisuseError, match="number of jobs"):
        gb.run_study(path, tmp_path / "out", jobs=0)


def test_results_of_another_study_text_are_not_taken_for_these(results, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results.folder, copy)
    (copy / "study.toml").write_text(HENON + "\n# changed\n")
    with pytest.raises(gb.ResultsError, match=r"not of its study\.toml"):
        gb.load(copy)


@pytest.mark.parametrize("name", shipped_studies())
def test_the_shipped_studies_are_complete(name: str) -> None:
    study = read_study(name).study
    assert study.description
    assert study.claim
    assert study.figure
    assert all(section.caption for section in study.figure)


def test_what_is_shipped_is_what_lies_in_the_package() -> None:
    folder = Path(gb.__file__).parent / "studies"
    assert shipped_studies() == sorted(path.stem for path in folder.glob("*.toml"))
    assert {"dirac-gan", "kernel-gan"} <= set(shipped_studies())


def test_a_small_variant_of_the_kernel_gan_study_agrees_with_all_its_claims(tmp_path: Path) -> None:
    import tomllib

    raw = tomllib.loads(read_study("kernel-gan").text)
    # The maps and most figures take long; the rest is what the claims are about, which hold for any number of features.
    names = {m["name"] for m in raw.pop("map")}
    del raw["orbit"]
    for system in raw["systems"].values():
        system["settings"]["modes"] = 5
    raw["figure"] = [f for f in raw["figure"] if f["name"] == "radius"]
    raw["claim"] = [c for c in raw["claim"] if c.get("map") not in names]
    next(t for t in raw["table"] if t["name"] == "radii")["settings"]["cells"] = 20
    path = tmp_path / "small.toml"
    path.write_text(_toml(raw))
    small = gb.run_study(path, tmp_path / "out")
    assert [c.text for c in small.claims if not c.agrees] == []
    assert len(small.claims) >= 12
    # kernel_steps: two points flip in the mean and in the relative mode, and rotate in the mean mode.
    assert {p.label for p in small["bandwidth-two"].special_points} == {"PD", "NS"}


def _toml(value, prefix: str = "") -> str:
    """Enough of a TOML writer for a study."""
    lines, tables = [], []
    for key, item in value.items():
        if isinstance(item, dict) and key in ("define", "systems", "system"):
            tables.append((f"[{key}]" if key != "systems" else None, key, item))
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            tables += [(f"[[{key}]]", key, entry) for entry in item]
        else:
            lines.append(f"{_key(key)} = {_inline(item)}")
    text = "\n".join(lines) + "\n"
    for head, key, item in tables:
        if head is None:
            for name, spec in item.items():
                text += f"[{key}.{name}]\n" + "".join(f"{_key(k)} = {_inline(v)}\n" for k, v in spec.items())
        else:
            text += head + "\n" + "".join(f"{_key(k)} = {_inline(v)}\n" for k, v in item.items())
    return text


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _inline(item) -> str:
    if isinstance(item, dict):
        return "{" + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in item.items()) + "}"
    if isinstance(item, list):
        return "[" + ", ".join(_inline(v) for v in item) + "]"
    return json.dumps(item)


def test_a_results_folder_does_not_hide_the_shipped_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The first run makes a folder of the study's name; the same command, given there again, goes on with the study.
    from gan_bifurcation.studies.reading import read_study

    (tmp_path / "kernel-gan").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read_study("kernel-gan").name == "kernel-gan"


def test_a_map_has_a_box_for_its_search_and_a_system_a_list_of_words_as_a_setting(tmp_path: Path) -> None:
    section = MapSpec.model_validate({"name": "m", "free": {"a": [0.0, 1.0]}, "box": {"x": [-1.5, 1.5]}})
    assert (section.box["x"].low, section.box["x"].high) == (-1.5, 1.5)
    assert SystemSpec(model="m", rule="flow", settings={"words": ["one", "two"]}).settings == {"words": ["one", "two"]}
    text = HENON + '\n[[map]]\nname = "boxed"\nfree = {a = [0.0, 0.3]}\nbox = {z = [0, 1]}\n'
    path = tmp_path / "henon.toml"
    path.write_text(text)
    with pytest.raises(gb.errors.StudyFileError, match="state 'z'"):
        gb.run_study(path, tmp_path / "out")


def test_sets_and_certificates_are_parts_with_claims_figures_and_badges(tmp_path: Path) -> None:
    text = (
        HENON[: HENON.index('[[branch]]\nname = "two"')]
        + """
[[set]]
name = "all"
free = {a = [-1, 2], b = [-0.9, 0.5]}
depth = 0
[[certificate]]
name = "proofs"
of = ["fixed:PD1", "fixed:LP1"]
[[figure]]
name = "drawn"
kind = "bifurcation_set"
of = ["all"]
[[claim]]
text = "Flips lie at a = 3(1-b)^2/4"
curve = "all:PD1"
zero = "a - 3*(1 - b)**2/4"
[[claim]]
text = "The window has no point of codimension two on the fold"
curve = "all:LP1"
zero = "a + (1 - b)**2/4"
"""
    )
    (tmp_path / "study.toml").write_text(text)
    results = gb.run_study(tmp_path / "study.toml", tmp_path / "out")
    assert all(c.agrees for c in results.claims)
    loaded = gb.load(tmp_path / "out")
    assert sorted(loaded["all"].names) == ["LP1", "PD1"]
    assert loaded.sets["all"]["PD1"].system.states == ("x", "y")
    table = loaded.certificates["proofs"]
    assert table.numbers["asked"] == 2
    assert "happens" in table.columns["statement"][0] or "one solution" in table.columns["statement"][0]
    gb.write_report(loaded, tmp_path)
    said = (tmp_path / "report.md").read_text()
    assert "| fixed | PD1 | a = 0.3675 | " in said
    assert f"| {table.columns['badge'][1]} |" in said.split("## Special points")[1]
    assert "Bifurcation set all over a, b, depth 0" in said
    again = gb.run_study(tmp_path / "study.toml", tmp_path / "out")
    assert again.summary["parts"] == results.summary["parts"]
    wrong = text.replace('curve = "all:LP1"', 'curve = "fixed:LP1"')
    (tmp_path / "wrong.toml").write_text(wrong)
    with pytest.raises(gb.StudyFileError, match="'fixed:LP1' is no curve"):
        gb.run_study(tmp_path / "wrong.toml", tmp_path / "other")


def test_what_is_made_beside_is_made_here_where_that_fails():
    with beside(lambda: os.getpid()) as number:
        assert number() != os.getpid()
    # Functions that are defined in a function do not go through a pipe.
    with beside(lambda: lambda: 3) as three:
        assert three()() == 3
    with pytest.raises(ValueError, match="no such thing"), beside(_fails) as never:
        never()
    # What nobody asks for is given up.
    began = time.perf_counter()
    with beside(lambda: time.sleep(60.0)):
        pass
    assert time.perf_counter() - began < 30.0


def _fails():
    raise ValueError("no such thing")
