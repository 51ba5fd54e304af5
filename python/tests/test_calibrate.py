# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import shutil

import numpy as np
import pytest
from conftest import TINY_MODELS
from reference_decoder import ReferenceDecoder

from rotq import RotqError, calibrate, formats, inference, model_dir, moments
from rotq.cli import main
from rotq.quantize import quantize_model
from rotq.safetensors_writer import Entry, Writer

TEXT = "".join(chr(97 + i * i % 26) for i in range(90))


class Listener(ReferenceDecoder):
    """Adds up the squares of what every linear layer reads."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.squares = {}

    def _linear(self, x, linear):
        total = self.squares.get(linear["weight"], 0)
        self.squares[linear["weight"]] = total + (x.astype(np.float64) ** 2).sum(axis=0)
        return super()._linear(x, linear)


@pytest.fixture
def model(models, tmp_path):
    """One whose directory may be written to."""
    return model_dir.open_model(shutil.copytree(models("qwen3"), tmp_path / "qwen3"))


@pytest.mark.parametrize("name", TINY_MODELS)
def test_moments_are_those_of_what_layers_read(models, name, monkeypatch):
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
    head = model.description["head"]["weight"]
    assert set(measured) == set(listener.squares) - {head}
    for weight, array in measured.items():
        expected = listener.squares[weight] / read
        np.testing.assert_allclose(array, expected, rtol=1e-3, atol=1e-5 * expected.max())


def test_the_command_keeps_what_it_measures(model, tmp_path, capsys):
    assert moments.read(model) is None
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    command = ["calibrate", str(model.path), "--text", str(text), "--window", "16"]
    assert main([*command, "--tokens", "32"]) == 0
    assert "moments over 32 tokens" in capsys.readouterr().out
    tokens = model.tokenizer().encode(TEXT)
    begin = model.description["tokens"].get("begin")
    tokens = [token for token in tokens if token != begin][:32]
    expected = calibrate.measure(model, tokens, window=16, progress=False)
    kept = moments.read(model)
    assert set(kept) == set(expected)
    for name, array in kept.items():
        np.testing.assert_array_equal(array, expected[name])


def test_texts_and_names_that_are_not_utf8(model, tmp_path, capsys):
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"abc\xff\xfe")
    for command in ("calibrate", "eval"):
        assert main([command, str(model.path), "--text", str(binary)]) == 1
        assert "binary.txt: not UTF-8: invalid start byte at byte 3" in capsys.readouterr().err
    measured = calibrate.measure(model, [1, 2, 3], progress=False)
    moments.write(model.path, measured, "name\udcff.txt", 3)
    assert set(moments.read(model)) == set(measured)


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


def test_moments_that_are_none(model):
    good = calibrate.measure(model, [1, 2, 3], window=16, progress=False)
    layer = model.description["layers"][0]
    readers = [layer[part]["weight"] for part in "qkv"]
    name = readers[0]

    def write(changed):
        moments.write(model.path, good | changed, "text", 3)

    for wrong in (np.nan, np.inf, -1.0):
        array = good[name].copy()
        array[3] = wrong
        write(dict.fromkeys(readers, array))
        with pytest.raises(RotqError, match="expected finite numbers from 0"):
            moments.read(model)
    write({name: 2 * good[name]})
    with pytest.raises(RotqError, match="differ, of weights that read one vector"):
        moments.read(model)
    write({name: good[name][1:]})
    with pytest.raises(RotqError, match=r"expected shape \(64,\) but got \(63,\)"):
        moments.read(model)
    write({"other": good[name]})
    with pytest.raises(RotqError, match="tensor 'other' is not of a supported decoder"):
        moments.read(model)
    for version, words in (
        ({}, "calibration version None, expected '1'"),
        ({"rotq.calibration": "99"}, "calibration version '99'"),
        ({"rotq.calibration": "1"}, "no tensor"),
    ):
        path, entry = model.path / model_dir.CALIBRATION, Entry(name, "F32", (64,))
        with Writer(path, [entry], version) as writer:
            writer.write(name, good[name])
        with pytest.raises(RotqError, match=words):
            moments.read(model)
    (model.path / model_dir.CALIBRATION).write_bytes(b"x")
    with pytest.raises(RotqError, match="calibration.safetensors"):
        moments.read(model)
