"""The table: what was measured, and whether that is enough."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        measure: what was measured.
        ours: the figure, with its unit.
        target: what is asked for.
        met: whether that is reached; None if it was not measured.
        worst: the least favourable portrait or recording and its figure.
        energy: the same figure of the energy-only mouth.
    """

    measure: str
    ours: str
    target: str
    met: bool | None
    worst: str = ""
    energy: str = ""

    @property
    def verdict(self) -> str:
        """What the last column says."""
        return {True: "met", False: "missed", None: "not measured"}[self.met]


COLUMNS = ("measure", "ours", "worst", "energy-only", "target", "")


def as_table(rows: Sequence[Row]) -> Table:
    """Return the rows for a console."""
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*_cells(row))
    return table


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(_cells(row) for row in rows)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    return (row.measure, row.ours, row.worst, row.energy, row.target, row.verdict)
