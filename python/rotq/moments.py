# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the linear layers of a model read, as a file of its directory: the covariance
of every place, calibration.safetensors, as docs/models.md has it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import checkpoint, model_dir
from .checkpoint import Checkpoint
from .description import LINEARS, check_tensors, shown, tensors
from .error import RotqError
from .model_dir import Model
from .safetensors_writer import Entry, Writer

VERSION = "2"

#: The linear layers of a decoder layer by what they read.
READ_TOGETHER = (("q", "k", "v"), ("o",), ("gate", "up"), ("down",))
assert sorted(sum(READ_TOGETHER, ())) == sorted(LINEARS)

#: What rounding may add to a covariance, as a share of what it can be at most: sums of
#: 10^5 tokens in f32 are off by 10^-3.
_ROUNDING = 1e-2


class Place(NamedTuple):
    """Where weights read one vector."""

    #: "layers.0.q_k_v"
    name: str
    weights: tuple[str, ...]
    #: Channels of the vector.
    size: int


def places(description: Mapping) -> list[Place]:
    """Those of a decoder, layer by layer in the order of READ_TOGETHER."""
    shapes, result = tensors(description), []
    for index, layer in enumerate(description["layers"]):
        for parts in READ_TOGETHER:
            weights = tuple(layer[part]["weight"] for part in parts)
            name = f"layers.{index}.{'_'.join(parts)}"
            result.append(Place(name, weights, shapes[weights[0]][1]))
    return result


def write(
    directory: str | os.PathLike, covariances: Mapping[str, np.ndarray], text: str, tokens: int
) -> None:
    """Puts `covariances`, K x K by the name of a place, into a model directory, in place
    of earlier ones; `text` and `tokens` say what they were measured on."""
    entries = [Entry(name, "F32", (_entries(len(c)),)) for name, c in covariances.items()]
    # A file's name may be what JSON cannot hold.
    text = text.encode(errors="replace").decode()
    metadata = {"rotq.calibration": VERSION, "text": text, "tokens": str(tokens)}
    with Writer(Path(directory) / model_dir.CALIBRATION, entries, metadata) as writer:
        for entry in writer.entries:
            rows = enumerate(covariances[entry.name])
            writer.write(entry.name, (row[: i + 1].astype(np.float32) for i, row in rows))


def _entries(size: int) -> int:
    """Of a triangle with its diagonal."""
    return size * (size + 1) // 2


class Moments:
    """The file of a model's directory, of which one matrix is in memory at a time."""

    def __init__(self, stored: Checkpoint, description: Mapping):
        """Raises RotqError where `stored` has others than the places of `description`,
        or numbers that are no covariances."""
        self.path, self._stored = stored.path, stored
        self._places: dict[str, list[Place]] = {}
        known = places(description)
        check_tensors(stored, {place.name: (_entries(place.size),) for place in known})
        #: The second moments of the channels that a weight reads, by its name: K floats.
        self.second: dict[str, np.ndarray] = {}
        for place in known:
            diagonal = np.diagonal(self._read(place)).copy()
            for name in place.weights:
                # A weight in several places reads what each of them does.
                self._places.setdefault(name, []).append(place)
                self.second[name] = self.second.get(name, 0) + diagonal

    def places(self, weight: str) -> tuple[str, ...]:
        """The names of the places of `weight`; none where it is not of a linear layer."""
        return tuple(place.name for place in self._places.get(weight, ()))

    def covariance(self, weight: str) -> np.ndarray:
        """Of what `weight` reads, K x K floats."""
        first, *others = map(self._read, self._places[weight])
        for other in others:
            first += other
        return first

    def _read(self, place: Place) -> np.ndarray:
        where = f"{self.path}: tensor '{place.name}'"
        with np.errstate(over="ignore"):  # what comes of it is checked
            triangle = self._stored.float32(place.name)
        result = np.empty((place.size, place.size), np.float32)
        first = 0
        for row in range(place.size):
            values = triangle[first : first + row + 1]
            result[row, : row + 1] = result[: row + 1, row] = values
            first += row + 1
        diagonal = np.diagonal(result)
        if not (np.isfinite(triangle).all() and (diagonal >= 0).all()):
            raise RotqError(f"{where}: expected finite numbers, from 0 on the diagonal")
        deviations = np.sqrt(diagonal)
        for row, most in zip(result, deviations):
            if (np.abs(row) > (1 + _ROUNDING) * most * deviations).any():
                raise RotqError(f"{where}: expected no number above what the diagonal allows")
        return result


def read(model: Model) -> Moments | None:
    """What is in the directory of `model`, or None where it has not been calibrated.
    Raises RotqError where that is not what `write` writes."""
    path = model.path / model_dir.CALIBRATION
    if not path.exists():
        return None
    version = _metadata(path).get("rotq.calibration")
    if version != VERSION:
        raise RotqError(
            f"{path}: calibration version {shown(version)}, expected '{VERSION}': run "
            "`rotq calibrate`"
        )
    return Moments(checkpoint.open(path), model.description)


def _metadata(path: Path) -> Mapping[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise RotqError(f"{path}: {error}") from None
