# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Floats of 8 bits, and activations in them."""

from __future__ import annotations

import numpy as np

from . import codec

LARGEST_E4M3 = 448
#: Every e4m3 is a whole multiple of 1 / E4M3_PARTS.
E4M3_PARTS = 512


def to_e4m3(x: np.ndarray) -> np.ndarray:
    """The bits, uint8, of float32 values rounded to nearest even; beyond the largest to
    the largest."""
    x = np.asarray(x, np.float32)
    magnitude = np.minimum(abs(x), np.float32(LARGEST_E4M3))
    bits = magnitude.view(np.uint32)
    # The fraction loses 20 bits, and exponents differ by 120; below 2^-6 codes count parts.
    normal = ((bits + 0x7FFFF + (bits >> 20 & 1)) >> 20).astype(np.int64) - (120 << 3)
    small = np.rint(np.where(magnitude < 2.0**-6, magnitude, 0) * E4M3_PARTS)
    codes = np.where(magnitude < 2.0**-6, small, normal)
    codes = np.where(np.isnan(x), 0x7F, codes).astype(np.uint8)
    return codes | (np.signbit(x) & ~np.isnan(x)).astype(np.uint8) << 7


def _e4m3_values() -> np.ndarray:
    bits = np.arange(256)
    exponent, fraction = bits >> 3 & 15, bits & 7
    normal = np.ldexp(8.0 + fraction, exponent - 10)
    values = np.where(exponent == 0, fraction / E4M3_PARTS, normal)
    values[bits & 0x7F == 0x7F] = np.nan
    return np.where(bits & 0x80, -values, values).astype(np.float32)


_E4M3_VALUES = _e4m3_values()


def from_e4m3(codes: np.ndarray) -> np.ndarray:
    """float32 of bits."""
    return _E4M3_VALUES[codes.view(np.uint8)]


def quantize_activation(x: np.ndarray, group: int) -> codec.QuantizedActivation:
    """`x` in e4m3, as `rotq.quantize_activation` makes it: codes are its bits, and sums
    count parts."""
    m, k = x.shape
    lengths = codec.segments(k, group)
    codes = np.zeros((m, -(-k // 64) * 64), np.int8)
    scales = np.empty((m, len(lengths)), np.float32)
    sums = np.empty((m, len(lengths)), np.int32)
    start = 0
    with np.errstate(all="ignore"):
        for i, length in enumerate(lengths):
            part = np.asarray(x[:, start : start + length], np.float32)
            largest = np.fmax.reduce(abs(part), axis=1, initial=np.float32(0))
            most = np.float32(LARGEST_E4M3)
            inverse = np.where(largest > 0, most / largest, np.float32(0))
            steps = part * inverse[:, None]
            steps = np.clip(np.where(np.isnan(steps), np.float32(0), steps), -most, most)
            of_part = to_e4m3(steps)
            codes[:, start : start + part.shape[1]] = of_part.view(np.int8)
            scales[:, i] = largest / most
            sums[:, i] = (from_e4m3(of_part).astype(np.float64) * E4M3_PARTS).sum(axis=1)
            start += length
    return codec.QuantizedActivation(codes, scales, sums)
