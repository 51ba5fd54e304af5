# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Encoding and decoding of weights and activations, on the host, in numpy."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from . import _native
from .error import RotqError
from .formats import Format, Layout


def _matrix(array: np.ndarray, what: str) -> np.ndarray:
    array = np.ascontiguousarray(array, dtype=np.float32)
    if array.ndim != 2 or array.size == 0:
        raise RotqError(f"expected {what} to be a non-empty matrix but got shape {array.shape}")
    return array


def encode(
    format: Format,
    weights: np.ndarray,
    *,
    feedback: np.ndarray | None = None,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The N x K matrix `weights` as the bytes of `format`'s layout; with
    `feedback` (see `feedback.factor`) later columns make good what the error of
    earlier ones does to outputs. The bytes do not depend on `threads` (0: one for
    every core). `progress` is called with the number of rows finished since its
    last call."""
    weights = _matrix(weights, "weights")
    factor = np.empty(0, np.float32) if feedback is None else _matrix(feedback, "feedback")
    n, k = weights.shape
    blob = np.empty(format.layout(n, k).total_bytes, np.uint8)
    # Kept in a variable: ctypes does not keep the callback alive.
    callback = _native.Progress((lambda rows, _: progress(rows)) if progress else 0)
    _native.call(
        "rotqEncodeWithFeedback",
        format.json.encode(),
        *(weights.ctypes.data, weights.size, n, k, factor.ctypes.data, factor.size),
        *(blob.ctypes.data, blob.nbytes, threads, callback, None),
    )
    return blob


def put_rows(blob: np.ndarray, layout: Layout, first: int, rows: np.ndarray, part: Layout) -> None:
    """Puts `rows`, a blob of `part` of the rows from `first` on, into the `blob` of
    `layout` of the same format: as if all rows had been encoded at once, where the
    bytes between the parts of `blob` are zero."""
    for (whole, size), (piece, _) in zip(layout.parts, part.parts):
        begin, count = whole + first * size, part.n * size
        blob[begin : begin + count] = rows[piece : piece + count]


def _checked(format: Format, blob: np.ndarray, n: int, k: int) -> tuple[np.ndarray, Layout]:
    """The blob as bytes, and its layout, which it must fit."""
    layout = format.layout(n, k)
    blob = np.ascontiguousarray(blob).view(np.uint8).ravel()
    if blob.nbytes != layout.total_bytes:
        raise RotqError(
            f"expected {layout.total_bytes} bytes for {n} x {k} weights in {format.name} "
            f"but got {blob.nbytes}"
        )
    return blob, layout


def _decode(function: str, format: Format, blob: np.ndarray, layout: Layout, *arguments) -> None:
    _native.call(
        function,
        format.json.encode(),
        *(blob.ctypes.data, blob.nbytes, layout.n, layout.k),
        *arguments,
    )


def decode(format: Format, blob: np.ndarray, n: int, k: int, *, threads: int = 0) -> np.ndarray:
    """Full reconstruction, N x K float32: scales applied, rotation undone."""
    blob, layout = _checked(format, blob, n, k)
    weights = np.empty((n, k), np.float32)
    _decode("rotqDecode", format, blob, layout, weights.ctypes.data, weights.size, threads)
    return weights


def decode_rows(
    format: Format, blob: np.ndarray, n: int, k: int, rows: Sequence[int]
) -> np.ndarray:
    """Reconstructs the rows `rows` only."""
    blob, layout = _checked(format, blob, n, k)
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    out = np.empty((rows.size, k), np.float32)
    _decode(
        "rotqDecodeRows",
        format,
        blob,
        layout,
        rows.ctypes.data,
        rows.size,
        out.ctypes.data,
        out.size,
    )
    return out


def decode_points(format: Format, blob: np.ndarray, n: int, k: int) -> np.ndarray:
    """The integer points of the codebook, N x stored length, int8."""
    blob, layout = _checked(format, blob, n, k)
    points = np.empty((n, layout.stored_length), np.int8)
    _decode("rotqDecodePoints", format, blob, layout, points.ctypes.data, points.size)
    return points


def decode_rotated(format: Format, blob: np.ndarray, n: int, k: int) -> np.ndarray:
    """Scaled but still rotated, N x padded length, float32."""
    blob, layout = _checked(format, blob, n, k)
    weights = np.empty((n, layout.padded_length), np.float32)
    _decode("rotqDecodeRotated", format, blob, layout, weights.ctypes.data, weights.size)
    return weights


def compress(format: Format, blob: np.ndarray, n: int, k: int, *, threads: int = 0) -> np.ndarray:
    """The bytes that archives hold of the weight: `blob` itself unless the coding of the
    format compresses. They do not depend on `threads`."""
    blob, layout = _checked(format, blob, n, k)
    if not layout.max_compressed_bytes:
        return blob
    compressed, size = np.empty(layout.max_compressed_bytes, np.uint8), ctypes.c_int64()
    arguments = (compressed.ctypes.data, compressed.nbytes, ctypes.byref(size), threads)
    _decode("rotqCompress", format, blob, layout, *arguments)
    return compressed[: size.value].copy()


def decompress(
    format: Format, compressed: np.ndarray, n: int, k: int, *, threads: int = 0
) -> np.ndarray:
    """The blob of what `compress` gave. Damage that its checks find is a RotqError that
    says where; where nothing is compressed only the size is checked."""
    layout = format.layout(n, k)
    if not layout.max_compressed_bytes:
        return _checked(format, compressed, n, k)[0]
    compressed = np.ascontiguousarray(compressed).view(np.uint8).ravel()
    blob = np.empty(layout.total_bytes, np.uint8)
    _decode("rotqDecompress", format, compressed, layout, blob.ctypes.data, blob.nbytes, threads)
    return blob


def repack(format: Format, blob: np.ndarray, n: int, k: int) -> np.ndarray:
    """The bytes of the weight in the tiled layout, that of GPU kernels."""
    blob, layout = _checked(format, blob, n, k)
    size = ctypes.c_int64()
    _native.call("rotqTiledBytes", format.json.encode(), n, k, ctypes.byref(size))
    tiled = np.empty(size.value, np.uint8)
    _decode("rotqRepack", format, blob, layout, tiled.ctypes.data, tiled.nbytes)
    return tiled


def rotate(format: Format, x: np.ndarray, *, inverse: bool = False) -> np.ndarray:
    """The rows of `x` rotated as the format rotates weights (or back). The
    length of a row is a multiple of 32."""
    x = _matrix(x, "x").copy()
    _native.call("rotqRotate", format.json.encode(), x.ctypes.data, x.size, *x.shape, inverse)
    return x


def segments(k: int, block: int) -> np.ndarray:
    """The lengths of the segments that a row of `k` values is cut into by `block`, a
    power of two from 32 to 4096: together `k` rounded up to 32."""
    count = np.zeros(1, np.int64)
    arguments = (0, count.ctypes.data_as(_native._INT64_OUT))
    _native.call("rotqSegments", k, block, None, None, *arguments)
    offsets, lengths = np.empty((2, int(count[0])), np.int64)
    arguments = (lengths.size, count.ctypes.data_as(_native._INT64_OUT))
    _native.call("rotqSegments", k, block, offsets.ctypes.data, lengths.ctypes.data, *arguments)
    return lengths


class QuantizedActivation(NamedTuple):
    codes: np.ndarray  #: M x stored length, int8, zero beyond K
    scales: np.ndarray  #: M x segments, float32
    sums: np.ndarray  #: M x segments, int32: of the codes of a segment


def quantize_activation(x: np.ndarray, group: int, *, rests: bool = False) -> QuantizedActivation:
    """`x` in int8 with one scale for every segment of `group` values. With rests,
    behind every row is one of what is left of it, in 254ths of the scale."""
    x = _matrix(x, "x")
    m, k = x.shape
    count = len(segments(k, group))
    rows = 2 * m if rests else m
    result = QuantizedActivation(
        np.empty((rows, -(-k // 64) * 64), np.int8),
        np.empty((rows, count), np.float32),
        np.empty((rows, count), np.int32),
    )
    _native.call(
        "rotqQuantizeActivation",
        *(x.ctypes.data, x.size, m, k, group, rests),
        *(argument for array in result for argument in (array.ctypes.data, array.size)),
    )
    return result


def by_rows(
    activation: QuantizedActivation, layout: str, k: int, group: int
) -> QuantizedActivation:
    """An activation of M x `k` as `quantize_activation` gives it (with rests, where
    `layout` is "rests"), from what a kernel made: `layout` is what its manifest says
    of it."""
    rows = len(activation.codes) * (2 if layout == "rests" else 1)
    result = QuantizedActivation(
        *(np.ascontiguousarray(array).copy().reshape(rows, -1) for array in activation)
    )
    _native.call(
        "rotqActivationByRows",
        *(layout.encode(), len(result.codes), k, group),
        *(argument for array in result for argument in (array.ctypes.data, array.size)),
    )
    return result
