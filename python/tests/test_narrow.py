# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Floats of 8 bits."""

import ml_dtypes
import numpy as np

from rotq import narrow


def test_e4m3_is_that_of_others():
    bits = np.arange(256, dtype=np.uint8)
    values = bits.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    np.testing.assert_array_equal(narrow.from_e4m3(bits), values)
    finite = values[np.isfinite(values)]
    middles = (np.unique(finite)[1:] + np.unique(finite)[:-1]) / 2
    x = np.concatenate([finite, middles, np.nextafter(middles, 1e9), np.nextafter(middles, -1e9)])
    x = np.concatenate([x, np.random.default_rng(1).normal(0, 50, 4096)]).astype(np.float32)
    x = x[abs(x) <= narrow.LARGEST_E4M3]
    want = x.astype(ml_dtypes.float8_e4m3fn).view(np.uint8)
    np.testing.assert_array_equal(narrow.to_e4m3(x), want)


def test_e4m3_saturates():
    x = np.array([449, -1e30, np.inf, np.nan, -1e-40], np.float32)
    assert narrow.to_e4m3(x).tolist() == [0x7E, 0xFE, 0x7E, 0x7F, 0x80]


def test_activations_in_e4m3():
    x = np.zeros((2, 100), np.float32)
    x[0, :3] = 448, 17, -0.3
    x[0, 64:66] = -2, 1
    x[1, 0] = np.nan
    codes, scales, sums = narrow.quantize_activation(x, 64)
    assert codes.shape == (2, 128) and scales.shape == (2, 2)
    # 17 is as far from 16 as from 18, and 0.3125 is nearest to 0.3.
    assert narrow.from_e4m3(codes[0, :3]).tolist() == [448, 16, -0.3125]
    assert scales[0].tolist() == [1, np.float32(2 / 448)]
    assert sums[0].tolist() == [512 * (448 + 16) - 160, 512 * (-448 + 224)]
    assert not codes[1].any() and not scales[1].any()
