# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What products lose when activations are rounded to what matrix units multiply.

The rotation of the format comes first, then the rounding, as in kernels. Weights are
what the format decodes to, but for fp8 their points are rounded to it as well:

    f32    nothing is rounded
    f16    rounded to it
    rests  int8, and int8 again of what is left, in 254ths of a step
    int8   127 steps to the largest magnitude of 256 values (of K where it is less)
    fp8    e4m3, 448 at the largest magnitude of 256 values
    nvfp4  e2m1, 6 at the largest magnitude of 16 values, whose scale is e4m3 and
           448 at the largest of a row
    mxfp4  e2m1 in blocks of 32, whose scale is a power of two (OCP Microscaling
           Formats 1.0: the exponent of the largest magnitude, less 2)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from . import codec
from .error import RotqError
from .formats import Format
from .yardstick import print_rows

#: Values that share a scale in kernels.
GROUP = 256
_LEAST = np.float32(2.0**-126)


def _blocks(x: np.ndarray, size: int) -> np.ndarray:
    """Rows in blocks, the last one filled up with zeros."""
    filled = np.pad(x, ((0, 0), (0, -x.shape[1] % size)))
    return filled.reshape(len(x), -1, size)


def _largest(blocks: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(blocks).max(axis=-1, keepdims=True), _LEAST)


def _joined(blocks: np.ndarray, k: int) -> np.ndarray:
    return blocks.reshape(len(blocks), -1)[:, :k].astype(np.float32)


def _e2m1(x: np.ndarray) -> np.ndarray:
    return np.clip(x, -6, 6).astype(ml_dtypes.float4_e2m1fn).astype(np.float32)


def _e4m3(x: np.ndarray) -> np.ndarray:
    return np.clip(x, -448, 448).astype(ml_dtypes.float8_e4m3fn).astype(np.float32)


def _groups(x: np.ndarray) -> np.ndarray:
    return _blocks(x, min(GROUP, x.shape[1]))


def _f16(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float16).astype(np.float32)


def _int8(x: np.ndarray) -> np.ndarray:
    blocks = _groups(x)
    step = _largest(blocks) / 127
    return _joined(np.rint(blocks / step) * step, x.shape[1])


def _rests(x: np.ndarray) -> np.ndarray:
    blocks = _groups(x)
    step = _largest(blocks) / 127
    steps = blocks / step
    codes = np.rint(steps)
    return _joined((codes + np.rint((steps - codes) * 254) / 254) * step, x.shape[1])


def _fp8(x: np.ndarray) -> np.ndarray:
    blocks = _groups(x)
    scale = _largest(blocks) / 448
    return _joined(_e4m3(blocks / scale) * scale, x.shape[1])


def _nvfp4(x: np.ndarray) -> np.ndarray:
    blocks = _blocks(x, 16)
    row = _largest(x)[:, None] / (6 * 448)
    scale = np.maximum(_e4m3(_largest(blocks) / 6 / row), _e4m3(np.float32(2.0**-9))) * row
    return _joined(_e2m1(blocks / scale) * scale, x.shape[1])


def _mxfp4(x: np.ndarray) -> np.ndarray:
    blocks = _blocks(x, 32)
    scale = np.exp2(np.floor(np.log2(_largest(blocks))) - 2)
    return _joined(_e2m1(blocks / scale) * scale, x.shape[1])


#: What rounds the rows of an activation, by name.
OPERANDS = {
    "f32": lambda x: x,
    "f16": _f16,
    "rests": _rests,
    "int8": _int8,
    "fp8": _fp8,
    "nvfp4": _nvfp4,
    "mxfp4": _mxfp4,
}


@dataclass(frozen=True)
class ProductLoss:
    """What products with weights in a format lose, by operand."""

    format: str
    bits: float
    #: The signal over the squared error in dB, which the format causes too.
    db: dict[str, float]
    #: |y - y'| / |y'| where y' is the exact product with the decoded weights: what
    #: the operand alone causes.
    of_operand: dict[str, float]

    def as_json(self) -> dict:
        record = {"format": self.format, "bits": self.bits} | self.db
        return record | {"of_operand": self.of_operand}


def activations(rows: int, columns: int, seed: int) -> np.ndarray:
    """Of N(0, 1), every channel times e^z with z of N(0, 1): outliers stay in theirs,
    as in models."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((rows, columns), dtype=np.float32)
    return x * np.exp(random.standard_normal(columns, dtype=np.float32))


def measure(
    chosen: Iterable[Format], weights: np.ndarray, x: np.ndarray, *, threads: int = 0
) -> Iterator[ProductLoss]:
    """The products of `x`, M x K, with `weights`, N x K, in each format."""
    exact = x.astype(np.float64) @ weights.T.astype(np.float64)
    n, k = weights.shape
    for format in chosen:
        blob = codec.encode(format, weights, threads=threads)
        decoded = codec.decode_rotated(format, blob, n, k)
        padded = decoded.shape[1]
        turned = codec.rotate(format, np.pad(x, ((0, 0), (0, padded - k))))
        points = codec.decode_points(format, blob, n, k)[:, :padded].astype(np.float32)
        share = np.divide(_e4m3(points), points, out=np.ones_like(points), where=points != 0)
        if format.declaration["scale"]["offset"] and (share != 1).any():
            raise RotqError(f"{format.name}: points beside an offset that fp8 does not hold")
        result, of_operand = {}, {}
        product = turned.astype(np.float64) @ decoded.T.astype(np.float64)
        for name, rounded in OPERANDS.items():
            used = decoded * share if name == "fp8" else decoded
            y = rounded(turned).astype(np.float64) @ used.T.astype(np.float64)
            error = np.square(y - exact).sum() / np.square(exact).sum()
            result[name] = -10 * math.log10(error)
            of_operand[name] = float(np.linalg.norm(y - product) / np.linalg.norm(product))
        bits = 8 * codec.compress(format, blob, n, k).nbytes / weights.size
        yield ProductLoss(format.name, bits, result, of_operand)


def print_table(losses: Iterable[ProductLoss], width: int) -> None:
    """A row each, as they come, with `width` columns for the format."""
    columns = "".join(f"{name:>8}" for name in OPERANDS)
    print_rows(
        f"{'format':<{width}} {'bits/weight':>11}{columns}  (dB)",
        (
            f"{loss.format:<{width}} {loss.bits:>11.4f}"
            + "".join(f"{loss.db[name]:>8.2f}" for name in OPERANDS)
            for loss in losses
        ),
    )
