"""A system's equations as text, LaTeX and MathML, bounded in length."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import sympy
from sympy.printing.mathml import MathMLPresentationPrinter

from gan_bifurcation.expressions import Mean, symbol
from gan_bifurcation.system import System

# What a page can hold: equations of a system, operations in one that is shown as a formula, letters of text.
_MOST_EQUATIONS: Final = 8
_SHOWN_OF_MORE: Final = 2
_DIGITS: Final = 6
_MOST_OPERATIONS: Final = 24
_MOST_LETTERS: Final = 240
# Larger programs are shown step by step, as they are evaluated, and never substituted.
_MOST_SUBSTITUTED: Final = 2000
_NAMES: Final[Mapping[str, str]] = {"lam": "lambda"}


@dataclass(frozen=True)
class Equation:
    """One equation: plain text, LaTeX, and MathML ("" if the formula is too long for a page)."""

    text: str
    latex: str
    mathml: str


def equations_of(system: System) -> tuple[list[Equation], str]:
    """The equations that are shown, and a sentence on those that are not.

    Notes
    -----
    Of large systems the first two and the last two equations are shown: of a game these are the discriminator's first
    and the generator's last. Numbers have six digits.
    """
    rows = _rows(system)
    left_out = ""
    if len(rows) > _MOST_EQUATIONS:
        half = _SHOWN_OF_MORE
        left_out = f"{len(rows) - 2 * half} equations between the first {half} and the last {half} are left out."
        rows = [*rows[:half], *rows[-half:]]
    return [_equation(*row) for row in rows], left_out


def as_text(system: System) -> list[str]:
    """All equations as text, long ones cut."""
    return [_equation(*row).text for row in _rows(system)]


def as_latex(system: System) -> list[str]:
    """All equations in LaTeX."""
    return [f"{_left_latex(left, mark)} = {_latex(right)}" for left, mark, right in _rows(system)]


def _rows(system: System) -> list[tuple[str, str, Any]]:
    """Left sides, what says that a state's rate or next value is meant, and right sides."""
    mark = "'" if system.kind == "flow" else "+"
    # Expectations inside of expectations are hard to read: such steps stay steps.
    nested = any(e.has(Mean) for _, e in system.assignments)
    if len(system.tape.code) <= _MOST_SUBSTITUTED and not nested:
        return [(state, mark, e) for state, e in system.equations().items()]
    # Parameters that are tied to others, and intermediate values, are what they are at this step.
    return [
        *((s.name, "", e) for s, e in system.assignments),
        *((state, mark, e) for state, e in zip(system.states, system.rhs_expressions, strict=True)),
    ]


# Systems of one study share most of theirs.
@lru_cache(maxsize=256)
def _equation(left: str, mark: str, right: Any) -> Equation:
    right = _rounded(right)
    short = right.count_ops() <= _MOST_OPERATIONS
    return Equation(
        _cut(f"{left}{mark} = {right}"),
        f"{_left_latex(left, mark)} = {_latex(right)}" if short else "",
        _mathml(left, mark, right) if short else "",
    )


def _rounded(expression: Any) -> Any:
    return expression.xreplace({x: sympy.Float(x, _DIGITS) for x in expression.atoms(sympy.Float)})


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]} ... ({len(text)} characters)"


def _renamed(expression: Any) -> Any:
    """With names as mathematics has them; the number of an intermediate value is no power."""
    names = {}
    for used in expression.free_symbols:
        head, steps, which = used.name.partition("__")
        name = _NAMES.get(head, head) + (f"__({which})" if steps else "")
        if name != used.name:
            names[used] = sympy.Symbol(name, real=True)
    return expression.xreplace(names) if names else expression


def _latex(expression: Any) -> str:
    shown = _renamed(expression)
    return str(sympy.latex(shown, symbol_names={s: _upright(s) for s in shown.atoms(sympy.Symbol)}))


def _upright(name: sympy.Symbol) -> str:
    """A symbol in LaTeX; a word is upright, for slanted letters beside each other are a product."""
    text = str(sympy.latex(name))
    return re.sub(r"^[A-Za-z]{2,}", lambda word: rf"\mathrm{{{word[0]}}}", text)


def _left_latex(left: str, mark: str) -> str:
    return {"": "{}", "'": r"\dot{{{}}}", "+": "{}^{{+}}"}[mark].format(_latex(symbol(left)))


class _Printer(MathMLPresentationPrinter):  # type: ignore[misc]
    """SymPy's, which would print the table of an expectation as an argument."""

    def _print_Mean(self, expression: Mean) -> Any:
        under = self.dom.createElement("mrow")
        for column in expression.table.columns:
            under.appendChild(self._print(column))
        sign = self.dom.createElement("msub")
        sign.appendChild(self._word("mi", "\N{MATHEMATICAL DOUBLE-STRUCK CAPITAL E}"))
        sign.appendChild(under)
        row = self.dom.createElement("mrow")
        for part in (sign, self._word("mo", "["), self._print(expression.body), self._word("mo", "]")):
            row.appendChild(part)
        return row

    def _word(self, kind: str, text: str) -> Any:
        made = self.dom.createElement(kind)
        made.appendChild(self.dom.createTextNode(text))
        return made


def _mathml(left: str, mark: str, right: Any) -> str:
    """Presentation MathML, which browsers show without any script."""
    try:
        name = _Printer().doprint(_renamed(symbol(left)))
        body = _Printer().doprint(_renamed(right))
    except (AttributeError, TypeError, NotImplementedError):
        # A function that the printer does not know is shown as text.
        return ""
    # A word needs room before it: in a product it would run into its neighbour.
    body = re.sub(r"<mi>([A-Za-z]{2,})</mi>", r'<mspace width="0.17em"/><mi>\1</mi>', body)
    shown = f"<msup><mrow>{name}</mrow><mo>{'′' if mark == chr(39) else mark}</mo></msup>" if mark else name
    return f'<math display="block"><mrow>{shown}<mo>=</mo>{body}</mrow></math>'
