# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json
import shutil

import numpy as np
import pytest

from rotq import RotqError, codec, feedback, formats, model_dir, moments
from rotq.cli import main
from rotq.description import linear_weights
from rotq.plan import Plan
from rotq.quantize import quantize_model

RQ4, NF4 = formats.lookup("rq4"), formats.lookup("nf4")


def correlated(k, seed):
    """A covariance of a few strong directions, and of channels of many sizes."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((4 * k, k // 4)) @ random.standard_normal((k // 4, k))
    x += random.standard_normal((4 * k, k))
    x *= np.exp(random.normal(0, 0.5, k))
    return (x.T @ x / len(x)).astype(np.float32)


def loss(error, covariance):
    return float(np.einsum("ij,ij->", error.astype(np.float64) @ covariance, error))


@pytest.fixture
def model(models, tmp_path):
    """A calibrated one."""
    path = shutil.copytree(models("qwen3"), tmp_path / "qwen3")
    model = model_dir.open_model(path)
    places = moments.places(model.description)
    covariances = {p.name: correlated(p.size, i) for i, p in enumerate(places)}
    moments.write(path, covariances, "none", 1)
    return model


@pytest.mark.parametrize("name", ["rq4", "nf4"])
def test_the_factor(name):
    format, k = formats.lookup(name), 72
    covariance = correlated(k, 1)
    scales = np.exp(np.random.default_rng(2).normal(0, 1, k)).astype(np.float32)
    v = feedback.factor(format, covariance, scales).astype(np.float64)
    assert v.shape == (96, 96)
    np.testing.assert_array_equal(np.tril(v), np.eye(96))
    # V H V^T is diagonal, with what is left of every column on it.
    h = np.zeros((96, 96), np.float32)
    h[:k, :k] = covariance / scales / scales[:, None]
    h /= np.trace(h) / k
    h = codec.rotate(format, codec.rotate(format, h).T) + feedback.DAMPING * np.eye(96)
    inverse = np.linalg.inv(v)
    left = np.diagonal(v @ h @ v.T)
    np.testing.assert_allclose(inverse @ np.diag(left) @ inverse.T, h, rtol=0, atol=1e-4 * h.max())


def test_nothing_is_fed_without_correlation():
    weights = np.random.default_rng(1).standard_normal((6, 96), np.float32)
    plain = codec.encode(NF4, weights)
    v = feedback.factor(NF4, np.diag(np.arange(1, 97, dtype=np.float32)))
    np.testing.assert_array_equal(codec.encode(NF4, weights, feedback=v), plain)
    assert feedback.factor(NF4, np.zeros((96, 96), np.float32)) is None


def test_sizes_of_numbers_do_not_matter():
    covariance = correlated(64, 3).astype(np.float64)
    v = feedback.factor(NF4, covariance)
    for size in (1e-60, 1e34):
        np.testing.assert_allclose(feedback.factor(NF4, size * covariance), v, atol=1e-4)
    scales = np.full(64, 1 / 256, np.float32)
    huge = (1e34 * covariance).astype(np.float32)
    np.testing.assert_allclose(feedback.factor(NF4, huge, scales), v, atol=1e-4)


def test_what_rounding_did_is_damped():
    covariance = np.eye(64, dtype=np.float32)
    covariance[3, 4] = covariance[4, 3] = 1.03
    assert np.isfinite(feedback.factor(NF4, covariance)).all()


def test_what_is_no_covariance_is_refused():
    covariance = np.eye(64, dtype=np.float32)
    covariance[3, 4] = covariance[4, 3] = 5
    with pytest.raises(RotqError, match="a matrix that is not positive"):
        feedback.factor(NF4, covariance)
    covariance[3, 4] = np.nan
    with pytest.raises(RotqError, match="a covariance but got numbers that are not finite"):
        feedback.factor(NF4, covariance)
    weights = np.ones((2, 64), np.float32)
    with pytest.raises(RotqError, match="expected feedback of 64 x 64 numbers but got 4032"):
        codec.encode(NF4, weights, feedback=np.eye(64, dtype=np.float32)[1:])
    with pytest.raises(RotqError, match="feedback is not finite in row 0"):
        codec.encode(NF4, weights, feedback=np.full((64, 64), np.nan, np.float32))


@pytest.mark.parametrize("name", formats.names())
def test_outputs_err_less(name):
    format, k = formats.lookup(name), 576
    covariance = correlated(k, 3)
    weights = np.random.default_rng(4).standard_normal((8, k), np.float32)
    v = feedback.factor(format, covariance)
    losses = []
    for fed in (None, v):
        blob = codec.encode(format, weights, feedback=fed)
        losses.append(loss(codec.decode(format, blob, 8, k) - weights, covariance))
    assert losses[1] < 0.8 * losses[0]


def test_a_model_is_encoded_with_it(model, tmp_path):
    """Weights that stay as they are, and scaled ones."""
    read = moments.read(model)
    for scales in (False, True):
        losses = []
        for fed in (False, True):
            out = tmp_path / f"{scales}{fed}"
            report = quantize_model(model, out, RQ4, scales=scales, feedback=fed, progress=False)
            assert report.feedback is fed
            assert json.loads((out / "quantize.json").read_text())["feedback"] is fed
            packed = model_dir.open_model(out).weights
            # Nothing scales q's rows, and its columns are scaled as its norm says.
            total = 0
            for layer in model.description["layers"]:
                name, norm = layer["q"]["weight"], layer["input_norm"]
                inverse = packed.float32(norm) / model.weights.float32(norm)
                error = packed.float32(name) * inverse - model.weights.float32(name)
                total += loss(error, read.covariance(name))
            losses.append(total)
        assert losses[1] < (0.8 if scales else 0.5) * losses[0]


def test_weights_that_nothing_was_measured_of(model, tmp_path):
    """Embeddings are packed without, and kept weights are kept."""
    name = model.description["layers"][0]["down"]["weight"]
    plan = Plan({name.replace(".", r"\."): "keep"})
    quantize_model(
        model, tmp_path / "out", RQ4, embeddings=RQ4, plan=plan, scales=False, progress=False
    )
    packed = model_dir.open_model(tmp_path / "out").weights
    np.testing.assert_array_equal(packed[name], model.weights.raw(name))
    embedding = model.description["embedding"]["weight"]
    plain = codec.encode(RQ4, model.weights.float32(embedding))
    n, k = model.weights.shape(embedding)
    np.testing.assert_array_equal(packed.float32(embedding), codec.decode(RQ4, plain, n, k))


def test_weights_that_read_together_share_a_factor(model, monkeypatch):
    read = moments.read(model)
    made = []
    monkeypatch.setattr(feedback, "factor", lambda *arguments: made.append(arguments))
    factors = feedback.Factors(read, lambda name: None)
    for name in linear_weights(model.description):
        factors.of(name, RQ4)
    assert len(made) == 4 * len(model.description["layers"])
    for format in (RQ4, formats.lookup("rq3"), NF4):
        factors.of(name, format)
    assert len(made) == 4 * len(model.description["layers"]) + 1
    assert factors.of("other", RQ4) is None


def test_a_place_that_cannot_be_factorized_is_named(model, tmp_path):
    places = moments.places(model.description)
    covariances = {p.name: correlated(p.size, i) for i, p in enumerate(places)}
    # Every pair of channels may be correlated so, but not all of them at once.
    broken = np.full((places[1].size,) * 2, -0.9, np.float32)
    np.fill_diagonal(broken, 1)
    moments.write(model.path, covariances | {places[1].name: broken}, "none", 1)
    words = f"calibration.safetensors: tensor '{places[1].name}': .* not positive"
    for scales in (False, True):
        with pytest.raises(RotqError, match=words):
            quantize_model(model, tmp_path / "out", RQ4, scales=scales, progress=False)


def test_the_command(model, models, tmp_path, capsys):
    out = str(tmp_path / "out")
    command = ["quantize", str(model.path), out, "--format", "rq4", "--no-scales"]
    assert main(command) == 0
    assert "with feedback" in capsys.readouterr().out
    assert main([*command, "--no-feedback"]) == 0
    assert "feedback" not in capsys.readouterr().out
    uncalibrated = ["quantize", str(models("qwen3")), out, "--feedback"]
    assert main(uncalibrated) == 1
    assert "not calibrated: run `rotq calibrate`" in capsys.readouterr().err
    file = str(model.path / model_dir.WEIGHTS)
    assert main(["quantize", file, str(tmp_path / "x.safetensors"), "--feedback"]) == 1
    assert "--feedback is for model directories" in capsys.readouterr().err
