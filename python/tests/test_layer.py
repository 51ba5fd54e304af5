# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Linear layers through the real tools, beside numpy."""

import numpy as np
import pytest

from rotq import codec, compiler, formats, layer
from rotq.archive import PackedWeight
from rotq.error import RotqError


@pytest.fixture(autouse=True)
def _needs_tools():
    try:
        compiler.tool("quant-opt")
        compiler.tool("quant-run")
    except RotqError as error:
        pytest.skip(str(error))


LINEARS = [
    layer.Linear("q", "x", 24, 576),
    layer.Linear("k", "x", 8, 576),
    layer.Linear("down", "h", 24, 96),
]


def _packed(format, random):
    weights = [random.standard_normal((linear.n, linear.k), np.float32) for linear in LINEARS]
    return [PackedWeight(weight.shape, format, codec.encode(format, weight)) for weight in weights]


@pytest.mark.parametrize("name", formats.names())
def test_kernels_equal_the_reference_and_approximate_float64(name):
    random = np.random.default_rng(1)
    packed = _packed(formats.lookup(name), random)
    inputs = {
        "x": random.standard_normal((5, 576), np.float32),
        "h": random.standard_normal((3, 96), np.float32),
    }
    results = layer.run(LINEARS, inputs, packed)
    references = layer.run(LINEARS, inputs, packed, reference=True)
    for linear, weight, y, reference in zip(LINEARS, packed, results, references):
        exact = inputs[linear.input].astype(np.float64) @ weight.decode().T
        assert y.shape == exact.shape
        np.testing.assert_allclose(y, reference, rtol=0, atol=1e-5 * np.abs(exact).max())
        # int8 activations: about 7e-3.
        assert np.linalg.norm(y - exact) < 2e-2 * np.linalg.norm(exact)


@pytest.mark.parametrize("placement", ["activation", "load"])
def test_float_activations_are_exact_to_rounding(placement):
    random = np.random.default_rng(2)
    packed = _packed(formats.lookup("rq3"), random)
    inputs = {
        "x": random.standard_normal((2, 576), np.float32),
        "h": random.standard_normal((2, 96), np.float32),
    }
    options = f"activations=float placement={placement}"
    for linear, weight, y in zip(
        LINEARS, packed, layer.run(LINEARS, inputs, packed, options=options)
    ):
        exact = inputs[linear.input].astype(np.float64) @ weight.decode().T
        assert np.linalg.norm(y - exact) < 1e-5 * np.linalg.norm(exact)


def test_an_input_of_the_wrong_width_is_refused():
    random = np.random.default_rng(3)
    packed = _packed(formats.lookup("rq3"), random)
    inputs = {"x": np.zeros((1, 512), np.float32), "h": np.zeros((1, 96), np.float32)}
    with pytest.raises(RotqError, match="576"):
        layer.run(LINEARS, inputs, packed)
