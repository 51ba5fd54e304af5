# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import numpy as np
import pytest

from rotq import RotqError, rice


@pytest.fixture
def weights():
    return np.random.default_rng(5).standard_normal((3, 1032), np.float32)


def test_round_trip(weights):
    blob = rice.encode(weights, 0.25, threads=1)
    np.testing.assert_array_equal(blob, rice.encode(weights, 0.25, threads=3))
    points = rice.decode(blob, *weights.shape)
    assert points.step == 0.25
    # 2 E8: eight integers of one parity, whose sum is a multiple of 4.
    cells = points.values.reshape(-1, 8).astype(int)
    assert (np.ptp(cells % 2, axis=1) == 0).all() and (cells.sum(axis=1) % 4 == 0).all()
    # No point of 2 E8 is further off than its covering radius, 2.
    distances = np.linalg.norm((weights - points.weights()).reshape(-1, 8), axis=1)
    assert distances.max() <= 0.25 * 2 * (1 + 1e-5)


@pytest.mark.parametrize("bits", [2, 3, 4, 5])
def test_bits(bits):
    weights = np.random.default_rng(6).standard_normal((8, 4096), np.float32)
    size = len(rice.encode(weights, rice.step(bits)))
    assert 8 * size / weights.size == pytest.approx(bits + 0.14, abs=0.04)


def test_damage_is_refused(weights):
    blob = rice.encode(weights, 0.25)
    for place in (0, 13, 30, len(blob) // 2, len(blob) - 1):
        wrong = blob.copy()
        wrong[place] ^= 16
        with pytest.raises(RotqError, match="expected|damaged"):
            rice.decode(wrong, *weights.shape)
    with pytest.raises(RotqError, match="expected"):
        rice.decode(blob[:-4], *weights.shape)
    with pytest.raises(RotqError, match="3 x 1032"):
        rice.decode(blob, 1, 3 * 1032)
    with pytest.raises(RotqError, match="expected 1 to 2147483647 rows but got -1"):
        rice.decode(blob, -1, 1032)
    with pytest.raises(RotqError, match="expected a multiple of 8 weights a row but got -64"):
        rice.decode(blob, 3, -64)


def test_what_is_not_encoded(weights):
    weights[2, 7] = np.nan
    with pytest.raises(RotqError, match="weight is not finite in row 2"):
        rice.encode(weights, 0.25)
    with pytest.raises(RotqError, match="expected a step above 0"):
        rice.encode(np.zeros((1, 8), np.float32), 0)
    with pytest.raises(RotqError, match="expected 2 to 5 bits"):
        rice.step(6)
