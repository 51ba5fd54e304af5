# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a checkpoint to an archive and back, one tensor at a time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from . import codec
from .archive import Archive, ArchiveWriter
from .checkpoint import Checkpoint
from .error import RotqError
from .formats import Format
from .safetensors_writer import Entry, Writer


@dataclass
class Report:
    """What quantizing a model came to."""

    format: str
    path: Path
    weights: int = 0
    packed_bytes: int = 0
    archive_bytes: int = 0
    #: Spent encoding.
    seconds: float = 0.0
    #: Squared error over squared norm, by tensor, where it was measured.
    errors: dict[str, float] = field(default_factory=dict)

    @property
    def bits_per_weight(self) -> float:
        return 8.0 * self.packed_bytes / self.weights

    @property
    def weights_per_second(self) -> float:
        return self.weights / self.seconds

    @property
    def mean_error(self) -> float:
        return sum(self.errors.values()) / len(self.errors)

    @property
    def worst(self) -> str:
        """The tensor with the largest error."""
        return max(self.errors, key=self.errors.__getitem__)


def relative_error(weights: np.ndarray, decoded: np.ndarray) -> float:
    """|weights - decoded|^2 / |weights|^2, and 0 where both are all zero."""
    exact = weights.astype(np.float64).ravel()
    difference = exact - decoded.ravel()
    norm = float(exact @ exact)
    error = float(difference @ difference)
    return error / norm if norm else error


def _check_output(out: str | os.PathLike, source: Path) -> None:
    """Refuses to put what was made of a model in its place."""
    if os.path.exists(out) and os.path.samefile(out, source):
        raise RotqError(f"{out}: expected another file than the one that is read")


def _check_weight(source: Checkpoint, name: str) -> None:
    """Refuses a weight whose numbers are not its values: integers and float8
    have scales beside them."""
    where = f"{source.path}: tensor '{name}'"
    dtype, shape = source.dtype(name), source.shape(name)
    if dtype not in ("F64", "F32", "F16", "BF16"):
        raise RotqError(f"{where}: expected floats of 16 bits or more to quantize but got {dtype}")
    if 0 in shape:
        raise RotqError(f"{where}: expected weights to quantize but got shape {shape}")


def quantize(
    source: Checkpoint,
    out: str | os.PathLike,
    format: Format,
    *,
    include: str | None = None,
    exclude: str | None = None,
    threads: int = 0,
    measure: bool = False,
    progress: bool = True,
) -> Report:
    """Writes `source` to the archive `out`, its linear layers (see
    `Checkpoint.linear_layers`) in `format`. `measure` decodes every packed
    weight again and reports its error."""
    _check_output(out, source.path)
    selected = source.linear_layers(include, exclude)
    if not selected:
        raise RotqError(f"{source.path}: no tensor to quantize")
    for name in selected:
        _check_weight(source, name)
    shapes = {name: source.shape(name) for name in selected}
    weights = {name: (shape, format) for name, shape in shapes.items()}
    others = [
        Entry(name, source.dtype(name), source.shape(name))
        for name in source
        if name not in weights
    ]
    report = Report(format.name, Path(out), sum(n * k for n, k in shapes.values()))
    bar = tqdm(
        total=report.weights,
        desc=format.name,
        unit=" weights",
        unit_scale=True,
        dynamic_ncols=True,
        disable=not progress,
    )
    with bar, ArchiveWriter(out, weights, others) as writer:
        for entry in writer.entries:
            if entry.name not in weights:
                writer.write(entry.name, source.raw(entry.name))
                continue
            dense = source.float32(entry.name)
            start = time.perf_counter()
            try:
                blob = codec.encode(format, dense, threads=threads)
            except RotqError as error:
                raise RotqError(f"{source.path}: tensor '{entry.name}': {error}") from None
            report.seconds += time.perf_counter() - start
            report.packed_bytes += blob.nbytes
            if measure:
                decoded = codec.decode(format, blob, *dense.shape, threads=threads)
                report.errors[entry.name] = relative_error(dense, decoded)
            writer.write(entry.name, blob)
            bar.update(dense.size)
    report.archive_bytes = report.path.stat().st_size
    return report


def dequantize(
    source: Archive, out: str | os.PathLike, dtype: str = "F16", *, progress: bool = True
) -> None:
    """Writes the archive as a plain safetensors file: packed weights decoded
    to `dtype` (F32, F16 or BF16), the other tensors as they are."""
    import ml_dtypes

    _check_output(out, source.path)
    types = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
    entries = [
        Entry(name, dtype if name in source.weights else source.dtype(name), source.shape(name))
        for name in source
    ]
    with Writer(out, entries, {}) as writer:
        for entry in tqdm(writer.entries, desc="dequantize", unit=" tensors", disable=not progress):
            tensor = source[entry.name]
            if entry.name in source.weights:
                tensor = tensor.decode().astype(types[dtype])
            writer.write(entry.name, tensor)
