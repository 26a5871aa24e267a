"""Renaming tables: the tensors of a published checkpoint under its names and under ours.

A table is a list of `Rename`s, each a pattern of official keys beside a pattern of ours. `{name}`
in a pattern stands for one part of a key between dots, the same on both sides. Nothing is lost in
either direction: tensors only change their name, or are laid one after the other.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Rename:
    """One line of a table.

    Attributes:
        official: pattern of the official key; or of several, whose tensors lie one after the other
            along axis 0 in ours.
        ours: pattern of our key.
        rows: how many rows each of several official tensors has; empty: all the same number.
    """

    official: str | tuple[str, ...]
    ours: str
    rows: tuple[int, ...] = ()


class StateMismatch(ValueError):
    """A state that is not the one that a net or a table takes.

    Attributes:
        missing: keys that are not there.
        unexpected: keys that nothing takes.
        reshaped: key -> (shape found, shape wanted).
    """

    def __init__(
        self,
        missing: Iterable[str] = (),
        unexpected: Iterable[str] = (),
        reshaped: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] | None = None,
    ) -> None:
        self.missing = tuple(missing)
        self.unexpected = tuple(unexpected)
        self.reshaped = dict(reshaped or {})
        shapes = [f"{key} is {a}, not {b}" for key, (a, b) in self.reshaped.items()]
        parts = (("missing", self.missing), ("unexpected", self.unexpected), ("shapes", shapes))
        super().__init__("; ".join(f"{name}: {', '.join(keys)}" for name, keys in parts if keys))


class RenamingTable:
    """Both directions of a list of `Rename`s. The first line that fits a key is taken."""

    def __init__(self, *lines: Rename) -> None:
        self._lines = [(line, _parts(line)) for line in lines]

    def to_ours(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return an official state (no `module.` prefix) under our names.

        Raises:
            StateMismatch: no line takes a key, or one of several tensors of a line is not there.
        """
        ours: dict[str, Tensor] = {}
        missing, unexpected = [], []
        for key in state:
            found = self._by_official(key)
            if found is None:
                unexpected.append(key)
                continue
            line, fields = found
            keys = [part.format(**fields) for part in _parts(line)]
            missing += [part for part in keys if part not in state and part not in missing]
            name = line.ours.format(**fields)
            if name not in ours and all(part in state for part in keys):
                tensors = [state[part] for part in keys]
                ours[name] = torch.cat(tensors) if len(tensors) > 1 else tensors[0]
        if missing or unexpected:
            raise StateMismatch(missing, unexpected)
        return ours

    def to_official(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a state of ours under the official names.

        Raises:
            StateMismatch: no line takes a key.
        """
        official: dict[str, Tensor] = {}
        unexpected = []
        for key, tensor in state.items():
            for line, parts in self._lines:
                fields = _match(line.ours, key)
                if fields is None:
                    continue
                for part, piece in zip(parts, _split(tensor, line, len(parts)), strict=True):
                    official[part.format(**fields)] = piece
                break
            else:
                unexpected.append(key)
        if unexpected:
            raise StateMismatch(unexpected=unexpected)
        return official

    def _by_official(self, key: str) -> tuple[Rename, dict[str, str]] | None:
        for line, parts in self._lines:
            for part in parts:
                fields = _match(part, key)
                if fields is not None:
                    return line, fields
        return None


def load_official(net: nn.Module, table: RenamingTable, state: Mapping[str, Tensor]) -> None:
    """Fill a net with an official state (no `module.` prefix), strictly.

    Raises:
        StateMismatch: in official names, everything that differs from what the net takes.
    """
    wanted = {key: tuple(of.shape) for key, of in table.to_official(net.state_dict()).items()}
    found = {key: tuple(of.shape) for key, of in state.items()}
    missing = [key for key in wanted if key not in found]
    unexpected = [key for key in found if key not in wanted]
    reshaped = {
        key: (found[key], shape)
        for key, shape in wanted.items()
        if key in found and found[key] != shape
    }
    if missing or unexpected or reshaped:
        raise StateMismatch(missing, unexpected, reshaped)
    net.load_state_dict(table.to_ours(state))


def _parts(line: Rename) -> tuple[str, ...]:
    return (line.official,) if isinstance(line.official, str) else line.official


def _split(tensor: Tensor, line: Rename, parts: int) -> tuple[Tensor, ...]:
    """Return the official tensors of one of ours."""
    if parts == 1:
        return (tensor,)
    rows = line.rows or (len(tensor) // parts,) * parts
    return torch.split(tensor, list(rows))


def _match(pattern: str, key: str) -> dict[str, str] | None:
    """Return what the fields of a pattern stand for in a key that it fits."""
    expression = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^.]+)", re.escape(pattern))
    found = re.fullmatch(expression, key)
    return found.groupdict() if found else None
