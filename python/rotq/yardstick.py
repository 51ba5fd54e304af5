# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What formats lose of weights, against what no code can do without: of fresh
Gaussian weights, or of the linear layers of a model."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from . import codec, formats
from .formats import Format
from .quantize import Error, encode_rows, open_linears

#: What a bit more is worth to a perfect code (Shannon, 1959): 20 log10 2.
DB_PER_BIT = 20 * math.log10(2)
#: Seconds: what is done sooner shows no progress.
BAR_AFTER = 1


@dataclass(frozen=True)
class Loss:
    """What a format makes of weights."""

    format: str
    #: A weight, and everything stored counts.
    bits: float
    #: sum (w - w^)^2 / sum w^2
    mse: float

    @property
    def db(self) -> float:
        return -10 * math.log10(self.mse) if self.mse else math.inf

    def as_json(self) -> dict:
        return {"format": self.format, "bits": self.bits, "mse": self.mse, "db": _finite(self.db)}


@dataclass(frozen=True)
class GaussianLoss(Loss):
    """Of Gaussian weights, whose bound is known."""

    @property
    def shannon_db(self) -> float:
        """What a perfect code of as many bits reaches."""
        return DB_PER_BIT * self.bits

    @property
    def gap_bits(self) -> float:
        """How many bits fewer a perfect code takes to lose as much."""
        return (self.shannon_db - self.db) / DB_PER_BIT

    def as_json(self) -> dict:
        bound = {"shannon_db": self.shannon_db, "gap_bits": _finite(self.gap_bits)}
        return super().as_json() | bound


@dataclass(frozen=True)
class ModelLoss(Loss):
    """Of all weights of a model's linear layers."""

    #: The tensor that loses most, and its `mse`.
    worst: str
    worst_mse: float

    def as_json(self) -> dict:
        return super().as_json() | {"worst": self.worst, "worst_mse": self.worst_mse}


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None


def chosen(texts: Iterable[str]) -> list[Format]:
    """The formats that `texts` name, declare in JSON, or name a .json file of; every
    preset where there are none."""
    return [formats.given(text) for text in texts] or [
        formats.lookup(name) for name in formats.names()
    ]


def gaussian(rows: int, columns: int, seed: int) -> np.ndarray:
    """Weights of N(0, 1)."""
    return np.random.default_rng(seed).standard_normal((rows, columns), dtype=np.float32)


def measure(
    chosen: Iterable[Format], weights: np.ndarray, *, threads: int = 0, progress: bool = True
) -> Iterator[GaussianLoss]:
    """What each format makes of `weights`, one after the other."""
    for format in chosen:
        with _bar(format, weights.size, progress) as bar:
            error = Error()
            stored = _add(error, "", format, 0, weights, threads, bar)
        yield GaussianLoss(format.name, 8 * stored / weights.size, error.relative())


def measure_model(
    chosen: Iterable[Format], path: str | os.PathLike, *, threads: int = 0, progress: bool = True
) -> Iterator[ModelLoss]:
    """What each format makes of the linear layers of the model directory or
    checkpoint at `path`, some rows at a time."""
    source, names = open_linears(path)
    shapes = {name: source.shape(name) for name in names}
    weights = sum(math.prod(shape) for shape in shapes.values())
    for format in chosen:
        whole, errors, stored = Error(), {}, 0
        with _bar(format, weights, progress) as bar:
            for name in names:
                error, first, where = Error(), 0, f"{source.path}: tensor '{name}'"
                for rows in source.chunks(name):
                    chunk = source.float32(name, rows)
                    stored += _add(error, where, format, first, chunk, threads, bar)
                    first += len(chunk)
                whole.join(error)
                errors[name] = error.relative()
        worst = max(errors, key=errors.__getitem__)
        bits = 8 * stored / weights
        yield ModelLoss(format.name, bits, whole.relative(), worst, errors[worst])


def _bar(format: Format, weights: int, progress: bool) -> tqdm:
    """One that makes room for what is printed after it."""
    return tqdm(
        total=weights,
        desc=format.name,
        unit=" weights",
        unit_scale=True,
        dynamic_ncols=True,
        leave=False,
        delay=BAR_AFTER,
        disable=not progress,
    )


def _add(
    error: Error,
    where: str,
    format: Format,
    first: int,
    chunk: np.ndarray,
    threads: int,
    bar: tqdm,
) -> int:
    """Adds what is lost of the rows from `first` on. The bytes that archives hold of them."""
    n, k = chunk.shape
    where = f"{where}: {format.name}" if where else format.name
    blob = encode_rows(
        where, format, first, chunk, threads=threads, progress=lambda rows: bar.update(rows * k)
    )
    error.add(chunk, codec.decode(format, blob, n, k, threads=threads))
    return codec.compress(format, blob, n, k, threads=threads).nbytes


def print_gaussian(losses: Iterable[GaussianLoss], width: int) -> None:
    """A row each, as they come, with `width` columns for the format."""
    header = (
        f"{'format':<{width}} {'bits/weight':>11} {'rel. sq. error':>14} {'dB':>7} "
        f"{'perfect, dB':>11} {'gap, bits':>9}"
    )
    print_rows(
        header,
        (
            f"{loss.format:<{width}} {loss.bits:>11.4f} {loss.mse:>14.6f} {loss.db:>7.2f} "
            f"{loss.shannon_db:>11.2f} {loss.gap_bits:>9.3f}"
            for loss in losses
        ),
    )
    print(
        f"\nperfect: what a code without limits reaches in as many bits, {DB_PER_BIT:.2f} dB each;"
        f"\ngap: how many fewer it takes to lose as much"
    )


def print_model(losses: Iterable[ModelLoss], width: int) -> None:
    """A row each, as they come, with `width` columns for the format."""
    header = (
        f"{'format':<{width}} {'bits/weight':>11} {'rel. sq. error':>14} {'dB':>7} "
        f"{'worst':>9}  worst tensor"
    )
    print_rows(
        header,
        (
            f"{loss.format:<{width}} {loss.bits:>11.4f} {loss.mse:>14.6f} {loss.db:>7.2f} "
            f"{loss.worst_mse:>9.6f}  {loss.worst}"
            for loss in losses
        ),
    )


def print_rows(header: str, rows: Iterable[str]) -> None:
    """The header comes with the first row: there may be an error instead of one."""
    for i, row in enumerate(rows):
        if i == 0:
            print(header)
        print(row, flush=True)


def print_json(losses: Iterable[Loss]) -> None:
    """A line each, as they come."""
    for loss in losses:
        print(json.dumps(loss.as_json()), flush=True)
