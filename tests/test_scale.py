"""Maps at scale: the same result on a Dask cluster, one sentence where none is; brute force."""

import functools
from dataclasses import replace

import pytest

import gan_bifurcation as gb
from gan_bifurcation.regimes import RegimeMap, sampling
from gan_bifurcation.studies.pools import pool


def small(executor=None, **options):
    """The Dirac-GAN's map of R1 steps, with attractors."""
    system = gb.tie(gb.system(gb.models.dirac_gan(gamma=0.5), gb.Simultaneous()), eta_g="eta_d")
    window = {"eta_d": (0.5, 6.0), "gamma": (0.2, 2.0)}
    box = {"psi": (-1, 1), "theta": (-1, 1)}
    return gb.regime_map(system, window, steps=200, tolerance=1e-3, attractors=8, box=box, executor=executor, **options)


@functools.cache
def alone():
    return small()


def test_a_dask_cluster_gives_the_same_graph(tmp_path) -> None:
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=None, silence_logs=50,
        local_directory=str(tmp_path),
    )  # fmt: skip
    # All goes over sockets; that it can go to processes which know of nothing is shown in tests/test_regimes.py.
    assert cluster.scheduler_address.startswith("tcp://")
    with cluster, pool(dask=cluster.scheduler_address) as executor:
        there = small(executor)
    assert there.to_json() == alone().to_json()


def test_what_was_stopped_goes_on_from_its_finished_pieces(tmp_path, monkeypatch) -> None:
    expected = alone().to_json()
    made: list[tuple[str, bytes]] = []
    whole = sampling._work
    # Every piece, and not only those that took long.
    monkeypatch.setattr(sampling, "_WORTH_KEEPING", 0.0)
    monkeypatch.setattr(sampling, "_work", lambda task: made.append((task[1], task[2].tobytes())) or whole(task))
    stopped = small(work=tmp_path, progress=lambda done, total, text: len(made) < 9)
    assert not stopped.outcome.converged
    # One file is cut off, as by a full disk: its piece is made again, and no other one.
    first = min(tmp_path.glob("cells-*.json"))
    first.write_text(first.read_text()[:100])
    before = len(made)
    assert small(work=tmp_path).to_json() == expected
    assert len(made) > before >= 9
    assert len(made) - len(set(made)) == 1


def test_no_scheduler_is_one_sentence(monkeypatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("gan_bifurcation.studies.pools._PATIENCE", 1)
    # Port 9 is that of the discard service, which hardly any machine offers.
    with pytest.raises(gb.MisuseError, match="No Dask scheduler answers at 'tcp"), pool(dask="tcp://127.0.0.1:9"):
        pass


def test_a_number_of_jobs_must_fit() -> None:
    with pytest.raises(gb.MisuseError, match="from 1 to 256"), pool(0):
        pass


def test_a_comparison_with_runs_finds_no_wrong_cell_and_one_that_is_made_wrong() -> None:
    rmap = alone()
    found = gb.compare(rmap, cells=40, steps=1000)
    # Every cell but those on the border itself.
    assert found.wrong == 0
    # Those beside the border that were still on their way to it say nothing.
    assert found.runs > 1400
    lied = replace(rmap, faces=tuple(replace(f, verdict="diverges") for f in rmap.faces), borders=())
    assert gb.compare(lied, cells=40, steps=1000).wrong > 400
    with pytest.raises(gb.MisuseError, match="between 2 and 2000"):
        gb.compare(rmap, cells=1)


def test_a_damaged_folder_is_one_sentence(tmp_path) -> None:
    with pytest.raises(gb.ResultsError, match="holds no regime map"):
        RegimeMap.load(tmp_path)
