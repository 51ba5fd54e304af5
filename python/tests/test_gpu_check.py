# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The reference arithmetic of benchmarks/gpu_check against the codec."""

import json

import numpy as np
import pytest
from conftest import load_script

from rotq import codec, formats, narrow

gpu_check = load_script("gpu_check")


@pytest.fixture(params=[1, 100, 256, 4304])
def case(request):
    random = np.random.default_rng(request.param)
    n, m, k = 5, 3, request.param
    return random.normal(0, 0.02, (n, k)).astype(np.float32), random.normal(0, 1, (m, k))


def make_weight(name, matrix):
    format = formats.lookup(name)
    n, k = matrix.shape
    return gpu_check.Weight(format, codec.encode(format, matrix), n, k)


@pytest.mark.parametrize("name", formats.names())
def test_product_of_codes_is_that_of_the_rotated_weight(name, case):
    matrix, x = case
    weight = make_weight(name, matrix)
    n, k = matrix.shape
    padded = np.zeros((len(x), gpu_check.round_up(k, 32)), np.float32)
    padded[:, :k] = x
    quantized = codec.quantize_activation(codec.rotate(weight.format, padded), 256 if k % 3 else 64)
    group = 256 if k % 3 else 64
    y, bound = gpu_check.multiply_codes(weight, group, quantized)
    lengths = [length for _, length in gpu_check.cut(k, group)]
    scales = np.repeat(quantized.scales, lengths, axis=1).astype(np.float64)
    restored = quantized.codes[:, : scales.shape[1]] * scales
    want = restored @ codec.decode_rotated(weight.format, weight.blob, n, k).T.astype(np.float64)
    assert (abs(y - want) <= bound + 1e-6 * abs(want)).all()
    assert bound.max() < 1e-4 * abs(want).max()


@pytest.mark.parametrize("name", formats.names())
def test_product_in_f16_is_that_of_the_decoded_weight(name, case):
    matrix, x = case
    weight = make_weight(name, matrix)
    x = x.astype(np.float16)
    y, bound, true, wide = gpu_check.multiply_in_f16(weight, x)
    decoded = codec.decode(weight.format, weight.blob, *matrix.shape)
    np.testing.assert_allclose(true, x.astype(np.float64) @ decoded.T, rtol=1e-4, atol=1e-5)
    assert (abs(y - true) <= wide).all()
    assert (bound <= wide).all()


def test_special_rows_and_plans_are_stable():
    cases = gpu_check.plan(3, 1)
    assert cases == gpu_check.plan(3, 1)
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        assert sum(length for _, length in gpu_check.cut(case.k, 256)) == gpu_check.round_up(
            case.k, 32
        )


def test_products_of_e4m3():
    """Both roundings, and what an offset adds."""
    format = formats.lookup(json.dumps(gpu_check.CUSTOM[1]))
    random = np.random.default_rng(3)
    weight = gpu_check.Weight(
        format, codec.encode(format, random.normal(0, 1, (5, 320)).astype(np.float32)), 5, 320
    )
    x = random.normal(0, 1, (3, 320)).astype(np.float32)
    quantized = narrow.quantize_activation(x, 256)
    y, bound = gpu_check.multiply_codes(weight, 256, quantized, "e4m3")
    lengths = [length for _, length in gpu_check.cut(320, 256)]
    values = narrow.from_e4m3(quantized.codes)[:, :320] * np.repeat(quantized.scales, lengths, 1)
    # Points up to 8 are exact.
    decoded = codec.decode_rotated(format, weight.blob, 5, 320)
    assert (abs(y - values.astype(np.float64) @ decoded.T) <= bound + 1e-4).all()
    assert (bound < 2e-2).all()
