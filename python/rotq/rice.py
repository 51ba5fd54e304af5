# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matrices as nearest points of the lattice E8 in Rice codes, which have no fixed rate:
for storage and transport (docs/formats/rice.md)."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np

from . import _native
from .codec import _matrix


class Points(NamedTuple):
    """step * values"""

    values: np.ndarray  #: N x K, int8
    step: float

    def weights(self) -> np.ndarray:
        """N x K float32."""
        return np.float32(self.step) * self.values.astype(np.float32)


def step(bits: float) -> float:
    """The step for weights of unit variance at which codes take about `bits` a weight,
    from 2 to 5; what else a blob holds, 0.14 bits of long rows, comes on top."""
    result = ctypes.c_float()
    _native.call("rotqRiceStep", bits, ctypes.byref(result))
    return result.value


def encode(weights: np.ndarray, step: float, *, threads: int = 0) -> np.ndarray:
    """The N x K matrix `weights`, K a multiple of 8, as bytes. They do not depend on
    `threads` (0: one for every core)."""
    weights = _matrix(weights, "weights")
    n, k = weights.shape
    blob = np.empty(2 * n * k + 16 * n + 64, np.uint8)
    size = ctypes.c_int64()
    _native.call(
        "rotqRiceEncode",
        *(weights.ctypes.data, weights.size, n, k, step),
        *(blob.ctypes.data, blob.nbytes, ctypes.byref(size), threads),
    )
    return blob[: size.value].copy()


def decode(blob: np.ndarray, n: int, k: int, *, threads: int = 0) -> Points:
    """The `n` x `k` points of a blob. A damaged one is a RotqError that says where."""
    blob = np.ascontiguousarray(blob).view(np.uint8).ravel()
    # Sizes below 0 are for the codec to refuse.
    values, step = np.empty((max(n, 0), max(k, 0)), np.int8), ctypes.c_float()
    _native.call(
        "rotqRiceDecode",
        *(blob.ctypes.data, blob.nbytes, n, k),
        *(values.ctypes.data, values.size, ctypes.byref(step), threads),
    )
    return Points(values, step.value)
