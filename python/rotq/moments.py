# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Second moments of what the linear layers of a model read, as a file of its
directory: calibration.safetensors, as docs/models.md has it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from . import checkpoint, model_dir
from .description import LINEARS, check_tensors, linear_weights, shown, tensors
from .error import RotqError
from .model_dir import Model
from .safetensors_writer import Entry, Writer

VERSION = "1"

#: The linear layers of a decoder layer by what they read.
READ_TOGETHER = (("q", "k", "v"), ("o",), ("gate", "up"), ("down",))
assert sorted(sum(READ_TOGETHER, ())) == sorted(LINEARS)


def write(
    directory: str | os.PathLike, moments: Mapping[str, np.ndarray], text: str, tokens: int
) -> None:
    """Puts `moments`, by the name of a weight, into a model directory, in place of
    earlier ones; `text` and `tokens` say what they were measured on."""
    entries = [Entry(name, "F32", array.shape) for name, array in moments.items()]
    # A file's name may be what JSON cannot hold.
    text = text.encode(errors="replace").decode()
    metadata = {"rotq.calibration": VERSION, "text": text, "tokens": str(tokens)}
    with Writer(Path(directory) / model_dir.CALIBRATION, entries, metadata) as writer:
        for entry in writer.entries:
            writer.write(entry.name, moments[entry.name].astype(np.float32))


def read(model: Model) -> dict[str, np.ndarray] | None:
    """The moments in the directory of `model`: K floats for every linear layer, by the
    name of its weight. None where it has not been calibrated. Raises RotqError where
    the file has others, or numbers that are no moments."""
    path = model.path / model_dir.CALIBRATION
    if not path.exists():
        return None
    version = _metadata(path).get("rotq.calibration")
    if version != VERSION:
        raise RotqError(f"{path}: calibration version {shown(version)}, expected '{VERSION}'")
    stored, shapes = checkpoint.open(path), tensors(model.description)
    names = set(linear_weights(model.description))
    check_tensors(stored, {name: shapes[name][1:] for name in names})
    with np.errstate(over="ignore"):  # what comes of it is checked
        moments = {name: stored.float32(name) for name in names}
    for name, array in moments.items():
        if not (np.isfinite(array).all() and (array >= 0).all()):
            raise RotqError(f"{path}: tensor '{name}': expected finite numbers from 0")
    _check_readers(path, model.description, moments)
    return moments


def _metadata(path: Path) -> Mapping[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise RotqError(f"{path}: {error}") from None


def _check_readers(path: Path, description: Mapping, moments: Mapping[str, np.ndarray]) -> None:
    """Refuses moments that differ where weights read one vector: some are wrong."""
    uses = Counter(linear_weights(description))
    for layer in description["layers"]:
        for parts in READ_TOGETHER:
            first, *others = (layer[part]["weight"] for part in parts)
            for name in others:
                once = uses[first] == uses[name] == 1
                if once and not np.array_equal(moments[first], moments[name]):
                    raise RotqError(
                        f"{path}: tensors '{first}' and '{name}' differ, of weights that read one "
                        "vector"
                    )
