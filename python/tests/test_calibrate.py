# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import copy
import shutil

import numpy as np
import pytest
from conftest import TINY_MODELS
from reference_decoder import ReferenceDecoder

from rotq import RotqError, calibrate, checkpoint, formats, inference, model_dir, moments
from rotq.cli import main
from rotq.quantize import quantize_model
from rotq.safetensors_writer import Entry, Writer

TEXT = "".join(chr(97 + i * i % 26) for i in range(90))


class Listener(ReferenceDecoder):
    """Adds up the products of what every linear layer reads."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.products = {}

    def _linear(self, x, linear):
        total, x64 = self.products.get(linear["weight"], 0), x.astype(np.float64)
        self.products[linear["weight"]] = total + x64.T @ x64
        return super()._linear(x, linear)


@pytest.fixture
def model(models, tmp_path):
    """One whose directory may be written to."""
    return model_dir.open_model(shutil.copytree(models("qwen3"), tmp_path / "qwen3"))


@pytest.mark.parametrize("name", TINY_MODELS)
def test_covariances_are_those_of_what_layers_read(models, name, monkeypatch):
    monkeypatch.setattr(inference, "CHUNK", 6)
    model = model_dir.open_model(models(name))
    tokens = np.random.default_rng(5).integers(0, 250, 40)
    measured = calibrate.measure(model, tokens, window=16, progress=False)
    begin = model.description["tokens"].get("begin")
    ahead = [] if begin is None else [begin]
    listener, read, step = Listener(model.description, model.weights), 0, 16 - len(ahead)
    for start in range(0, len(tokens), step):
        text = [*ahead, *tokens[start : start + step]]
        listener.logits(text)
        read += len(text)
    places = moments.places(model.description)
    assert set(measured) == {place.name for place in places}
    for place in places:
        for weight in place.weights:
            expected = listener.products[weight] / read
            np.testing.assert_allclose(
                measured[place.name], expected, rtol=1e-3, atol=1e-5 * expected.max()
            )


def test_the_command_keeps_what_it_measures(model, tmp_path, capsys):
    assert moments.read(model) is None
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    command = ["calibrate", str(model.path), "--text", str(text), "--window", "16"]
    assert main([*command, "--tokens", "32"]) == 0
    assert "covariances over 32 tokens" in capsys.readouterr().out
    tokens = model.tokenizer().encode(TEXT)
    begin = model.description["tokens"].get("begin")
    tokens = [token for token in tokens if token != begin][:32]
    expected = calibrate.measure(model, tokens, window=16, progress=False)
    kept = moments.read(model)
    for place in moments.places(model.description):
        covariance = np.tril(expected[place.name])
        covariance += np.tril(covariance, -1).T
        for name in place.weights:
            np.testing.assert_array_equal(kept.covariance(name), covariance)
            np.testing.assert_array_equal(kept.second[name], np.diagonal(covariance))


def test_a_weight_in_two_places_reads_both(model):
    description = copy.deepcopy(model.description)
    first, second = description["layers"][:2]
    twice = second["q"]["weight"] = first["q"]["weight"]
    covariances = {
        place.name: np.full((place.size, place.size), 1 + i, np.float32)
        for i, place in enumerate(moments.places(description))
    }
    moments.write(model.path, covariances, "text", 1)
    kept = moments.Moments(checkpoint.open(model.path / model_dir.CALIBRATION), description)
    assert kept.places(twice) == ("layers.0.q_k_v", "layers.1.q_k_v")
    assert (kept.covariance(twice) == 6).all() and (kept.second[twice] == 6).all()
    assert (kept.covariance(second["k"]["weight"]) == 5).all()
    assert kept.places("other") == ()


def test_texts_and_names_that_are_not_utf8(model, tmp_path, capsys):
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"abc\xff\xfe")
    for command in ("calibrate", "eval"):
        assert main([command, str(model.path), "--text", str(binary)]) == 1
        assert "binary.txt: not UTF-8: invalid start byte at byte 3" in capsys.readouterr().err
    measured = calibrate.measure(model, [1, 2, 3], progress=False)
    moments.write(model.path, measured, "name\udcff.txt", 3)
    assert moments.read(model).second


@pytest.mark.parametrize(
    "tokens, window, words",
    [
        ([], 16, "at least one token"),
        ([1], 1, "a window from 2 to 256 tokens, the context of the model, but got 1"),
        ([1], 257, "but got 257"),
        ([1, 288], 16, "tokens below 288 but got 288"),
    ],
)
def test_what_is_refused(model, tokens, window, words):
    with pytest.raises(RotqError, match=words):
        calibrate.measure(model, tokens, window=window, progress=False)


def test_a_packed_model_is_refused(model, tmp_path):
    quantize_model(model, tmp_path / "packed", formats.lookup("rq4"), progress=False)
    with pytest.raises(RotqError, match="packed already"):
        calibrate.measure(model_dir.open_model(tmp_path / "packed"), [1], window=16)


def test_weights_that_are_not_finite_are_an_error(model):
    class Broken:
        path = model.path

        def float32(self, name):
            return np.full_like(model.weights.float32(name), np.nan)

    broken = model_dir.Model(model.path, model.description, Broken())
    with pytest.raises(RotqError, match=r"what '.*' reads is not finite"):
        calibrate.measure(broken, [1, 2], window=16, progress=False)


def test_covariances_that_are_none(model):
    good = calibrate.measure(model, [1, 2, 3], window=16, progress=False)
    name = "layers.0.q_k_v"

    def write(changed):
        moments.write(model.path, good | changed, "text", 3)

    for at, wrong, words in (
        ((3, 3), np.nan, "expected finite numbers, from 0 on the diagonal"),
        ((5, 3), np.inf, "expected finite numbers, from 0 on the diagonal"),
        ((3, 3), -1.0, "expected finite numbers, from 0 on the diagonal"),
        ((5, 3), 1e3, "expected no number above what the diagonal allows"),
        ((5, 3), -1e3, "expected no number above what the diagonal allows"),
    ):
        matrix = good[name].copy()
        matrix[at] = wrong
        write({name: matrix})
        with pytest.raises(RotqError, match=f"safetensors: tensor '{name}': {words}"):
            moments.read(model)
    write({name: good[name][1:, 1:]})
    with pytest.raises(RotqError, match=r"expected shape \(2080,\) but got \(2016,\)"):
        moments.read(model)
    write({"other": good[name]})
    with pytest.raises(RotqError, match="tensor 'other' is not of a supported decoder"):
        moments.read(model)
    for version, words in (
        ({}, "calibration version None, expected '2': run `rotq calibrate`"),
        ({"rotq.calibration": "1"}, "calibration version '1', expected '2'"),
        ({"rotq.calibration": "2"}, "no tensor"),
    ):
        path, entry = model.path / model_dir.CALIBRATION, Entry(name, "F32", (2080,))
        with Writer(path, [entry], version) as writer:
            writer.write(name, good[name][np.tril_indices(64)])
        with pytest.raises(RotqError, match=words):
            moments.read(model)
    (model.path / model_dir.CALIBRATION).write_bytes(b"x")
    with pytest.raises(RotqError, match="calibration.safetensors"):
        moments.read(model)
