# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json

import numpy as np
import pytest

from rotq import RotqError, codec, formats, products, yardstick
from rotq.cli import main

E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)


def noise_db(name, x):
    error = np.square(products.OPERANDS[name](x) - x).sum() / np.square(x).sum()
    return -10 * np.log10(error)


def test_rounded_values_are_those_of_the_type():
    x = np.random.default_rng(2).standard_normal((3, 80), np.float32)
    # Blocks of 32: powers of two times e2m1, and nothing beyond 6 times.
    rounded = products.OPERANDS["mxfp4"](x)
    for row, exact in zip(rounded, x):
        for start in range(0, 80, 32):
            block, largest = row[start : start + 32], np.abs(exact[start : start + 32]).max()
            scale = 2.0 ** (np.floor(np.log2(largest)) - 2)
            assert set(np.abs(block) / scale) <= set(E2M1)
            assert np.abs(block - exact[start : start + 32]).max() <= 2 * scale
    # Blocks of 16 of which the largest is 6 times the scale, but for its e4m3.
    rounded = products.OPERANDS["nvfp4"](x)
    for row, exact in zip(rounded, x):
        for start in range(0, 80, 16):
            block, largest = row[start : start + 16], np.abs(exact[start : start + 16]).max()
            assert np.abs(block).max() == pytest.approx(largest, rel=1 / 15)
            scale = np.abs(block).max() / 6
            assert all(np.isclose(np.abs(v) / scale, E2M1, rtol=1e-5).any() for v in block)
    rounded = products.OPERANDS["int8"](x)
    steps = rounded / (np.abs(x).max(axis=1, keepdims=True) / 127)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)


def test_what_types_lose_of_gaussian_values():
    x = np.random.default_rng(4).standard_normal((64, 4096), np.float32)
    # e4m3 has a relative error of up to 2^-4, whatever the magnitude.
    assert noise_db("fp8", x) == pytest.approx(31.6, abs=0.2)
    assert 41 < noise_db("int8", x) < 44
    # Parts of a step add their 48 dB.
    assert noise_db("rests", x) == pytest.approx(noise_db("int8", x) + 20 * np.log10(254), abs=0.1)
    assert 20 < noise_db("nvfp4", x) < 21.5
    assert 18 < noise_db("mxfp4", x) < 19.5


@pytest.mark.parametrize("name", list(products.OPERANDS))
def test_zeros_and_tails(name):
    x = np.zeros((2, 33), np.float32)
    x[1, 32] = 3
    np.testing.assert_array_equal(products.OPERANDS[name](x)[0], 0)
    assert products.OPERANDS[name](x)[1, 32] == pytest.approx(3, rel=1 / 15)


def test_products_are_those_of_decoded_weights():
    chosen = [formats.lookup(name) for name in ("rq4", "int4_g128", "hyperquant_3")]
    weights, x = yardstick.gaussian(8, 608, 1), products.activations(5, 608, 2)
    for format, loss in zip(chosen, products.measure(chosen, weights, x)):
        decoded = codec.decode(format, codec.encode(format, weights), 8, 608)
        error = np.square(x @ decoded.T - x @ weights.T).sum() / np.square(x @ weights.T).sum()
        assert loss.db["f32"] == pytest.approx(-10 * np.log10(error), abs=0.02)


def test_rounding_costs_what_it_adds():
    """Errors of weights and of rotated activations add up."""
    weights, x = yardstick.gaussian(64, 4096, 1), products.activations(64, 4096, 2)
    (loss,) = products.measure([formats.lookup("qam_w8")], weights, x)
    assert (
        loss.db["f32"]
        >= loss.db["rests"]
        > loss.db["int8"]
        > loss.db["fp8"]
        > loss.db["nvfp4"]
        > loss.db["mxfp4"]
    )
    assert loss.db["f32"] - loss.db["int8"] < 0.1
    turned = noise_db("nvfp4", codec.rotate(formats.lookup("qam_w8"), x))
    together = -10 * np.log10(10 ** (-loss.db["f32"] / 10) + 10 ** (-turned / 10))
    assert loss.db["nvfp4"] == pytest.approx(together, abs=0.15)


def test_what_an_operand_causes_alone():
    weights, x = yardstick.gaussian(64, 1024, 1), products.activations(64, 1024, 2)
    (loss,) = products.measure([formats.lookup("hyperquant_3")], weights, x)
    assert loss.of_operand["f32"] == 0
    turned = noise_db("int8", codec.rotate(formats.lookup("hyperquant_3"), x))
    assert -20 * np.log10(loss.of_operand["int8"]) == pytest.approx(turned, abs=0.3)


def test_points_beside_an_offset():
    declaration = formats.lookup("itq3_s").declaration | {"name": "mine"}
    weights, x = yardstick.gaussian(2, 256, 1), products.activations(2, 256, 2)
    assert len(list(products.measure([formats.lookup("itq3_s")], weights, x))) == 1
    declaration["codebook"] = declaration["codebook"] | {"levels": [-33, 0, 33]}
    with pytest.raises(RotqError, match="mine: points beside an offset"):
        list(products.measure([formats.lookup(json.dumps(declaration))], weights, x))


def test_the_command(capsys):
    size = ["--rows", "4", "--columns", "100"]
    assert main(["yardstick", "--activations", *size, "rq4", "nf4"]) == 0
    assert "mxfp4" in capsys.readouterr().out
    assert main(["yardstick", "--activations", "--json", *size, "rq4"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert list(row) == ["format", "bits", *products.OPERANDS, "of_operand"]
    assert list(row["of_operand"]) == list(products.OPERANDS)
    assert main(["yardstick", "--activations", "--model", "x", "rq4"]) == 1
    assert "not for --model" in capsys.readouterr().err
