"""How the tensors of a file differ from the layout that a network asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.weights.layout import Layout, TensorLayout


@dataclass(frozen=True, slots=True)
class Difference:
    """False where there is none.

    Attributes:
        missing: keys that the file lacks.
        unexpected: keys that the network does not have.
        changed: sentences on keys whose type or shape is another.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.changed)

    def lines(self, most: int | None = None) -> list[str]:
        """Return a line for each kind of difference, each naming at most so many keys."""
        kinds = (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("different", self.changed),
        )
        return [f"{kind}: {_listed(keys, most)}" for kind, keys in kinds if keys]


def difference(found: Mapping[str, TensorLayout], wanted: Layout) -> Difference:
    """Return how tensors differ from a layout, in the layout's order."""
    shared = [key for key in wanted.tensors if key in found]
    return Difference(
        missing=tuple(key for key in wanted.tensors if key not in found),
        unexpected=tuple(key for key in found if key not in wanted.tensors),
        changed=tuple(
            f"{key} is {_told(found[key])}, not {_told(wanted.tensors[key])}"
            for key in shared
            if found[key] != wanted.tensors[key]
        ),
    )


def _told(tensor: TensorLayout) -> str:
    return f"{tensor.dtype}{list(tensor.shape)}"


def _listed(keys: Sequence[str], most: int | None) -> str:
    shown = keys[:most]
    rest = len(keys) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
