"""Systems and points as plain data on disk: JSON and arrays, checked when read, never executed."""

import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from gan_bifurcation import opcodes as op
from gan_bifurcation.branch import Point
from gan_bifurcation.derived import iterate
from gan_bifurcation.errors import ResultsError
from gan_bifurcation.expressions import LogSigmoid, Mean, NodeTable, Sigmoid, Softplus, symbol
from gan_bifurcation.poincare import poincare
from gan_bifurcation.profiles import Profile
from gan_bifurcation.roots import Root
from gan_bifurcation.system import System
from gan_bifurcation.tape import Tape

Arrays = dict[str, NDArray[Any]]
_Assignments = tuple[tuple[sympy.Symbol, sympy.Expr], ...]
_Expressions = tuple[sympy.Expr, ...]

# A results file of a stranger may claim any size; nothing larger is read.
MOST_BYTES = 1 << 30

# Tapes that were checked, with their equations: the many branches of a study are of few systems.
_PROGRAMS: dict[tuple[str, int], tuple[Tape, _Assignments, _Expressions]] = {}
_MOST_PROGRAMS = 64


def system_record(system: System) -> tuple[dict[str, Any], Arrays]:
    """A system as JSON-ready data and arrays: its tape, not its source; a return map as its flow and its section."""
    if (section := system.section) is not None:
        flow, flow_arrays = system_record(section.flow)
        facts = {
            key: getattr(section, key) for key in ("expression", "direction", "eliminated", "longest", "tolerance")
        }
        return {
            "section": facts, "flow": flow, "parameters": dict(system.parameters), "iterations": system.iterations
        }, flow_arrays  # fmt: skip
    tape = system.tape
    arrays: Arrays = {"tape_code": tape.code, "tape_constants": tape.constants, "tape_outputs": tape.outputs}
    for k, (nodes, weights) in enumerate(tape.tables):
        arrays[f"tape_nodes_{k}"], arrays[f"tape_weights_{k}"] = nodes, weights
    text = {
        "kind": system.kind,
        "name": system.name,
        "states": list(system.states),
        "parameters": dict(system.parameters),
        "iterations": system.iterations,
        "domain": [list(d) for d in system.domain],
        "prefix": tape.prefix,
        "tables": len(tape.tables),
        "description": system.description,
        "periods": dict(system.periods),
        "endings": [list(e) for e in system.endings],
    }
    return text, arrays


def system_from_record(text: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> System:
    """The system that `system_record` described.

    The tape is checked operand by operand, for compiled code trusts it.
    """
    if "section" in text:
        return _return_map(text, arrays)
    states = tuple(str(s) for s in text["states"])
    parameters = {str(k): float(v) for k, v in text["parameters"].items()}
    tables = tuple(
        (np.asarray(arrays[f"tape_nodes_{k}"], float), np.asarray(arrays[f"tape_weights_{k}"], float))
        for k in range(int(text["tables"]))
    )
    tape = Tape(
        (*states, *parameters),
        np.asarray(arrays["tape_code"], np.int32),
        np.asarray(arrays["tape_constants"], float),
        np.asarray(arrays["tape_outputs"], np.int64),
        tables,
        int(text["prefix"]),
    )
    tape, assignments, rhs = _program(tape)
    if text["kind"] not in ("flow", "map"):
        raise ResultsError(f"A saved system is a {text['kind']!r}, expected a flow or a map.")
    return System(
        text["kind"], str(text["name"]), states, parameters, assignments, rhs, int(text["iterations"]),
        tuple((str(e), str(r)) for e, r in text["domain"]), description=str(text["description"]), _tape=tape,
        periods={str(k): float(v) for k, v in text.get("periods", {}).items()},
        endings=tuple((str(e), str(n)) for e, n in text.get("endings", ())),
    )  # fmt: skip


def remember(systems: Iterable[System]) -> None:
    """Systems whose equations need not be made out from their tapes when results of them are read."""
    for system in systems:
        if system.section is None:
            _keep(system.tape, system.assignments, system.rhs_expressions)


def _keep(tape: Tape, assignments: _Assignments, rhs: _Expressions) -> tuple[Tape, _Assignments, _Expressions]:
    if len(_PROGRAMS) >= _MOST_PROGRAMS:
        _PROGRAMS.clear()
    return _PROGRAMS.setdefault((tape.digest, tape.prefix), (tape, assignments, rhs))


def _program(tape: Tape) -> tuple[Tape, _Assignments, _Expressions]:
    """A tape, checked, and its equations; those of one that was read before."""
    known = _PROGRAMS.get((tape.digest, tape.prefix))
    if known is not None:
        return known
    check_tape(tape)
    return _keep(tape, *decompile(tape))


def _return_map(text: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> System:
    facts, flow = text["section"], system_from_record(text["flow"], arrays)
    made = poincare(
        flow, str(facts["expression"]), direction=int(facts["direction"]), eliminate=str(facts["eliminated"]),  # type: ignore[arg-type]
        longest=float(facts["longest"]), tolerance=float(facts["tolerance"]),
    )  # fmt: skip
    values = {str(k): float(v) for k, v in text["parameters"].items()}
    if set(values) != set(made.parameters):
        raise ResultsError("A saved return map with tied parameters cannot be read again; tie those of its flow.")
    return iterate(made.with_parameters(**values), int(text["iterations"]))


def check_tape(tape: Tape) -> None:
    """Refuse a tape whose operands do not point backwards, whose loops do not nest, or whose opcodes are unknown."""
    base = len(tape.inputs) + len(tape.constants)
    bad = ResultsError("A saved system is damaged (its program is not well formed); compute it again.")
    if tape.code.ndim != 2 or tape.code.shape[1] != 4 or not 0 <= tape.prefix <= len(tape.code):
        raise bad
    begin = -1
    for i, (o, a, b, c) in enumerate(tape.code.tolist()):
        slots = {
            op.LOOP_BEGIN: (), op.NODE: (), op.LOOP_END: (), op.SOLVE_BEGIN: (), op.SOLVE_END: (),
            op.POWER_INTEGER: (a,),
        }.get(o)  # fmt: skip
        if slots is None:
            if o in (op.ADD, op.SUB, op.MUL, op.DIV, op.POWER_REAL, op.MINIMUM, op.MAXIMUM, op.UPDATE):
                slots = (a, b)
            elif o in (op.SELECT_POSITIVE, op.SELECT_NONNEGATIVE):
                slots = (a, b, c)
            elif o in op.UNARY_NAMES or o in (op.ACCUMULATE, op.UNKNOWN):
                slots = (a,)
            else:
                raise bad
        if not all(0 <= s < base + i for s in slots):
            raise bad
        if o == op.LOOP_BEGIN:
            if begin >= 0 or not 0 <= a < len(tape.tables):
                raise bad
            begin = i
            nodes, weights = tape.tables[a]
            if nodes.ndim != 2 or weights.shape != nodes.shape[:1] or not len(weights):
                raise bad
        elif o == op.NODE and (begin < 0 or not 0 <= a < tape.tables[tape.code[begin, 1]][0].shape[1]):
            raise bad
        elif o == op.ACCUMULATE and begin < 0:
            raise bad
        elif o == op.LOOP_END:
            if a != begin:
                raise bad
            begin = -1
    if begin >= 0 or not all(0 <= s < base + len(tape.code) for s in tape.outputs.tolist()):
        raise bad
    if not _solves_are_whole(tape):
        raise bad


def _solves_are_whole(tape: Tape) -> bool:
    """Whether each block of roots is closed, with its unknowns at the front and their updates at the end."""
    code = tape.code.tolist()
    base = len(tape.inputs) + len(tape.constants)
    kinds = (op.UNKNOWN, op.UPDATE, op.SOLVE_END)
    i = 0
    while i < len(code):
        if code[i][0] in kinds:
            return False
        if code[i][0] == op.SOLVE_BEGIN:
            _, count, end, _ = code[i]
            if count < 1 or not i + 2 * count < end < len(code) or code[end][:3] != [op.SOLVE_END, i, count]:
                return False
            body = [row[0] for row in code[i + 1 + count : end - count]]
            updates = [row[:2] for row in code[end - count : end]]
            if (
                any(row[0] != op.UNKNOWN for row in code[i + 1 : i + 1 + count])
                or updates != [[op.UPDATE, base + i + 1 + k] for k in range(count)]
                or any(o in (*kinds, op.SOLVE_BEGIN) for o in body)
                or body.count(op.LOOP_BEGIN) != body.count(op.LOOP_END)
            ):
                return False
            i = end
        i += 1
    return True


_FUNCTIONS: Mapping[int, Any] = {
    op.SQRT: sympy.sqrt, op.EXP: sympy.exp, op.LOG: sympy.log, op.SIN: sympy.sin, op.COS: sympy.cos, op.TAN: sympy.tan,
    op.SINH: sympy.sinh, op.COSH: sympy.cosh, op.TANH: sympy.tanh, op.ASIN: sympy.asin, op.ACOS: sympy.acos,
    op.ATAN: sympy.atan, op.ERF: sympy.erf, op.ERFC: sympy.erfc, op.SIGMOID: Sigmoid, op.LOG_SIGMOID: LogSigmoid,
    op.SOFTPLUS: Softplus, op.ABS: sympy.Abs, op.SIGN: sympy.sign, op.NEG: lambda x: -x,
}  # fmt: skip


def decompile(tape: Tape) -> tuple[_Assignments, _Expressions]:
    """A tape as SymPy assignments and right-hand sides again (one assignment per operation outside loops)."""
    values: list[Any] = [symbol(s) for s in tape.inputs]
    values += [sympy.Integer(int(c)) if float(c).is_integer() else sympy.Float(float(c), 17) for c in tape.constants]
    assignments: list[tuple[sympy.Symbol, sympy.Expr]] = []
    table: NodeTable | None = None
    outside: list[tuple[sympy.Symbol, sympy.Expr]] = assignments
    starts: list[sympy.Expr] = []
    steps: list[sympy.Expr] = []
    for i, (o, a, b, c) in enumerate(tape.code.tolist()):
        value: Any = sympy.Integer(0)
        if o in (op.SOLVE_BEGIN, op.UNKNOWN, op.UPDATE, op.SOLVE_END):
            if o == op.SOLVE_BEGIN:
                outside, assignments, starts, steps = assignments, [], [], []
            elif o == op.UNKNOWN:
                starts.append(values[a])
                value = symbol(f"v{i}")
            elif o == op.UPDATE:
                steps.append(values[b])
            else:
                first = len(tape.inputs) + len(tape.constants) + a + 1
                parts = [values[first : first + b], starts, [sympy.Tuple(*pair) for pair in assignments], steps]
                family = [*(sympy.Tuple(*part) for part in parts), sympy.Tuple()]
                assignments = outside
                for k in range(b):
                    values[len(values) - b + k] = symbol(f"v{i - b + k}")
                    assignments.append((symbol(f"v{i - b + k}"), Root(sympy.Integer(k), *family)))
            values.append(value)
            continue
        if o == op.LOOP_BEGIN:
            nodes, weights = tape.tables[a]
            columns = tuple(sympy.Symbol(f"node{a}_{k}", real=True) for k in range(nodes.shape[1]))
            table = NodeTable(f"table{a}", columns, nodes, weights)
        elif o == op.LOOP_END:
            table = None
        elif o == op.NODE and table is not None:
            value = table.columns[a]
        elif o == op.ACCUMULATE and table is not None:
            value = Mean(values[a], table)
        elif o == op.ADD:
            value = values[a] + values[b]
        elif o == op.SUB:
            value = values[a] - values[b]
        elif o == op.MUL:
            value = values[a] * values[b]
        elif o == op.DIV:
            value = values[a] / values[b]
        elif o == op.POWER_INTEGER:
            value = values[a] ** b
        elif o == op.POWER_REAL:
            value = values[a] ** values[b]
        elif o in (op.MINIMUM, op.MAXIMUM):
            value = (sympy.Min if o == op.MINIMUM else sympy.Max)(values[a], values[b])
        elif o == op.SELECT_POSITIVE:
            value = sympy.Piecewise((values[a], values[c] > 0), (values[b], True))
        elif o == op.SELECT_NONNEGATIVE:
            value = sympy.Piecewise((values[a], values[c] >= 0), (values[b], True))
        else:
            value = _FUNCTIONS[o](values[a])
        if table is None and o != op.LOOP_END:
            name = symbol(f"v{i}")
            assignments.append((name, value))
            value = name
        elif o == op.ACCUMULATE:
            name = symbol(f"v{i}")
            assignments.append((name, value))
            value = name
        values.append(value)
    return tuple(assignments), tuple(values[s] for s in tape.outputs.tolist())


def _pairs(values: Any) -> list[list[float]]:
    return [[float(v.real), float(v.imag)] for v in np.asarray(values, dtype=complex).ravel()]


def _plain(value: Any) -> Any:
    """A normal form's entry as JSON: complex numbers as {"re", "im"}."""
    if isinstance(value, complex):
        return {"re": value.real, "im": value.imag}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return value


def _from_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return (
            complex(value["re"], value["im"])
            if set(value) == {"re", "im"}
            else {k: _from_plain(v) for k, v in value.items()}
        )
    return value


def point_record(point: Point) -> dict[str, Any]:
    """A point as JSON-ready data (its system is that of the branch, at the point's parameters)."""
    return {
        "label": point.label, "name": point.name, "parameters": point.parameters, "state": point.x.tolist(),
        "spectrum": _pairs(point.spectrum), "normal_form": {k: _plain(v) for k, v in point.normal_form.items()},
        "residual": point.residual, "free": list(point.free), "multiplicity": point.multiplicity, "note": point.note,
        "index": point.index, "critical": _pairs([point.critical])[0], "level": point.level,
        "condition": point.condition, "profile": point.profile is not None,
        "vectors": {k: _pairs(v) for k, v in point.vectors.items()},
    }  # fmt: skip


def point_from_record(system: System, r: Mapping[str, Any], profile: Profile | None = None) -> Point:
    """The point that `point_record` described."""
    return Point(
        system.with_parameters(**{str(k): float(v) for k, v in r["parameters"].items()}),
        system.state_vector(r["state"]),
        np.array([complex(*z) for z in r["spectrum"]]),
        str(r["label"]),
        str(r["name"]),
        {str(k): _from_plain(v) for k, v in r["normal_form"].items()},
        float(r["residual"]),
        tuple(map(str, r["free"])),
        int(r["multiplicity"]),
        str(r["note"]),
        {str(k): np.array([complex(*z) for z in v]) for k, v in r["vectors"].items()},
        float(r["index"]),
        complex(*r["critical"]),
        str(r["level"]),
        str(r["condition"]),
        profile,
    )


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file under a temporary name and rename it, so that a killed run leaves the old file or the new one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ResultsError(
            f"Cannot write '{path}' ({error.strerror or error}); choose a folder that is writable."
        ) from error


def _base(path: Path) -> Path:
    return path.with_suffix("") if path.suffix in (".npz", ".json") else path


def write_files(path: Path, text: str, arrays: Mapping[str, NDArray[Any]]) -> Path:
    """Write ``path.npz``, then ``path.json``; the second makes the pair complete. Returns the base path."""
    import io

    base = _base(path)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{k: np.asarray(v) for k, v in arrays.items()})  # type: ignore[arg-type]
    write_atomically(base.with_name(base.name + ".npz"), buffer.getvalue())
    write_atomically(base.with_name(base.name + ".json"), text.encode())
    return base


def read_files(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Read what `write_files` wrote."""
    base = _base(path)
    try:
        with zipfile.ZipFile(base.with_name(base.name + ".npz")) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise ResultsError(f"The arrays of '{base}' are larger than {MOST_BYTES >> 20} MiB; they are not read.")
        with np.load(base.with_name(base.name + ".npz"), allow_pickle=False) as stored:
            arrays = {k: stored[k] for k in stored.files}
        text = json.loads(base.with_name(base.name + ".json").read_text())
    except FileNotFoundError as error:
        raise ResultsError(
            f"'{error.filename}' does not exist; give the name under which a branch was saved."
        ) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ResultsError(f"The results '{base}' are damaged ({type(error).__name__}); compute them again.") from error
    if not isinstance(text, dict):
        raise ResultsError(f"The results '{base}' are damaged (no JSON object); compute them again.")
    return text, arrays
