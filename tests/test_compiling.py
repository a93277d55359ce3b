"""Processes that compile the same functions share the work (gan_bifurcation/compiling.py)."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no locks of this kind on Windows")

_KERNELS = """
from gan_bifurcation.compiling import jit


@jit
def inside(x):
    return x * x


@jit
def outside(x):
    return inside(x) + 1.0
"""
# Says that it has begun, waits for the other, and tells how many versions it compiled itself.
_PROCESS = """
import sys, time
from pathlib import Path
import kernels
here, own, other = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
(here / own).touch()
while not (here / other).exists():
    time.sleep(0.01)
assert kernels.outside(3.0) == 10.0
print(sum(sum(f.stats.cache_misses.values()) for f in (kernels.inside, kernels.outside)))
"""


def _start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    environment.pop("NUMBA_CACHE_DIR", None)
    return subprocess.Popen([sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, text=True)


def test_of_two_processes_one_compiles_and_the_other_loads(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(_KERNELS)
    pair = [_start(tmp_path, "-c", _PROCESS, str(tmp_path), *names) for names in (("a", "b"), ("b", "a"))]
    compiled = [int(p.communicate(timeout=120)[0]) for p in pair]
    # Two functions for one type, whoever compiled them; by itself each process would compile both.
    assert sum(compiled) == 2


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gan_bifurcation import compiling

    holder = (
        "import sys, time; from gan_bifurcation.compiling import _turns\n"
        "_turns.take(sys.argv[1], 'f'); print('taken', flush=True); time.sleep(60)"
    )
    other = _start(tmp_path, "-c", holder, str(tmp_path))
    assert other.stdout is not None
    assert other.stdout.readline() == "taken\n"
    monkeypatch.setattr(compiling, "PATIENCE", 0.3)

    def waits() -> float:
        begin = time.monotonic()
        turns = compiling._Turns()
        turns.take(str(tmp_path), "f")
        turns.give(str(tmp_path), "f")
        return time.monotonic() - begin

    # While it is held, one waits as long as patience lasts, and then goes on.
    assert waits() > 0.3
    other.send_signal(signal.SIGKILL)
    other.communicate(timeout=60)
    assert waits() < 0.3


def test_a_folder_that_cannot_be_written_needs_no_lock(tmp_path: Path) -> None:
    from gan_bifurcation.compiling import _Turns

    (tmp_path / "file").touch()
    turns = _Turns()
    begin = time.monotonic()
    turns.take(str(tmp_path / "file" / "below"), "f")
    turns.give(str(tmp_path / "file" / "below"), "f")
    assert time.monotonic() - begin < 5.0


def test_what_only_compiled_code_calls_says_so() -> None:
    from gan_bifurcation.kernels import n_slots

    # Without a wrapper for Python such a call would end the process.
    with pytest.raises(TypeError, match="n_slots is called by compiled code only"):
        n_slots(None)


@pytest.mark.parametrize(
    ("changed", "built_of_it"),
    [
        ("kernels.py", ["kernels", "flow_steps", "integrator", "regimes/solving"]),
        ("flow_steps.py", ["flow_steps", "integrator"]),
    ],
)
def test_what_a_compiled_function_is_built_of_is_in_its_stamp(
    changed: str, built_of_it: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An update that changed the interpreter of the tape, and left its callers' files as they were, ended in a crash.
    from gan_bifurcation import compiling

    source, root = compiling._source, Path(compiling.__file__).parent
    files = ["kernels", "flow_steps", "integrator", "regimes/solving", "compatibility", "figures/text"]

    def stamps() -> list[str]:
        return [compiling._stamp.__wrapped__(root / f"{name}.py") for name in files]

    before = stamps()
    monkeypatch.setattr(compiling, "_source", lambda path: source(path) + "#" * (path.name == changed))
    assert [f for f, a, b in zip(files, before, stamps(), strict=True) if a != b] == built_of_it
