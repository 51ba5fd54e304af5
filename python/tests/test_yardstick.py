# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json
import math
from pathlib import Path

import numpy as np
import pytest
from conftest import write_safetensors

from rotq import RotqError, checkpoint, codec, formats, yardstick
from rotq.cli import main
from rotq.quantize import quantize, relative_error

RQ4 = formats.lookup("rq4")
MINE = json.dumps(RQ4.declaration | {"name": "mine"})
LAYER = "model.layers.0.mlp."


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def path(tmp_path):
    """A model of two layers that lose unequally, and a tensor that is none."""
    random = np.random.default_rng(6)
    # Rotated, rows of some large weights take few values.
    spiky = random.standard_normal((10, 96), np.float32) ** 5
    even = random.standard_normal((70, 96), np.float32)
    tensors = {LAYER + "up_proj.weight": spiky, LAYER + "down_proj.weight": even, "norm": even[0]}
    return write_safetensors(
        tmp_path / "model.safetensors",
        {name: ("F32", array.shape, array.tobytes()) for name, array in tensors.items()},
    )


# The Lloyd-Max quantizers of N(0, 1) (Max, 1960): 9.30, 14.62, 20.22 dB. Levels that
# are rounded lose hundredths of that, and a step that is fitted to 256 weights gains
# what the bits of 16 for it are for: with 16 levels, half a decibel.
@pytest.mark.parametrize("name, db", [("rq2", 9.30), ("rq3", 14.62), ("rq4", 20.22)])
def test_gaussian_weights_reach_lloyd_max(name, db):
    weights = yardstick.gaussian(16, 4096, 1)
    (loss,) = yardstick.measure([formats.lookup(name)], weights, progress=False)
    assert db - 0.05 < loss.db < db + 0.6
    assert loss.bits == int(name[2]) + 1 / 16
    assert loss.shannon_db == pytest.approx(6.0206 * loss.bits, rel=1e-5)
    assert loss.gap_bits == pytest.approx(loss.bits - loss.db / 6.0206, rel=1e-4)
    assert 0.4 < loss.gap_bits < 0.7


def test_every_preset_is_measured(capsys):
    assert main(["yardstick", "--json", "--rows", "4", "--columns", "512", "--seed", "3"]) == 0
    rows = lines(capsys)
    assert [row["format"] for row in rows] == formats.names()
    weights = yardstick.gaussian(4, 512, 3)
    for row in rows:
        format = formats.lookup(row["format"])
        assert list(row) == ["format", "bits", "mse", "db", "shannon_db", "gap_bits"]
        blob = codec.encode(format, weights)
        assert row["bits"] == 8 * len(codec.compress(format, blob, 4, 512)) / weights.size
        decoded = codec.decode(format, blob, 4, 512)
        assert row["mse"] == pytest.approx(relative_error(weights, decoded))
        assert row["db"] == pytest.approx(-10 * math.log10(row["mse"]))
        assert row["gap_bits"] > 0


# Published: 16.5, 22.7 and 28.75 dB at 3, 4 and 5 bits of codes. A stream of 512
# weights takes seven bytes beside them, and half of its last word.
@pytest.mark.parametrize("bits, db", [(3, 16.5), (4, 22.7), (5, 28.75)])
def test_rice_codes_reach_what_is_published(capsys, bits, db):
    name = f"hyperquant_rice_{bits}"
    assert main(["yardstick", "--json", name, "--rows", "32", "--columns", "4096"]) == 0
    (row,) = lines(capsys)
    assert row["format"] == name
    assert row["db"] == pytest.approx(db, abs=0.1)
    assert row["bits"] == pytest.approx(bits + 0.14, abs=0.04)


@pytest.mark.parametrize("bits", range(7, 13))
def test_joint_tables_beat_amplitude_and_phase(bits):
    path = Path(__file__).parents[2] / f"docs/formats/declarations/qam_polar_w{bits}.json"
    both = [formats.lookup(f"qam_w{bits}"), formats.given(str(path))]
    weights = yardstick.gaussian(16, 4096, 1)
    joint, polar = yardstick.measure(both, weights, progress=False)
    assert joint.bits == polar.bits
    assert 0.75 < joint.db - polar.db < 1.05


def test_a_seed_gives_other_weights():
    assert not np.array_equal(yardstick.gaussian(2, 64, 1), yardstick.gaussian(2, 64, 2))


def test_own_formats(tmp_path, capsys):
    file = tmp_path / "mine.json"
    file.write_text(MINE)
    size = ["--rows", "2", "--columns", "256"]
    assert main(["yardstick", "--json", *size, "rq4", MINE, str(file)]) == 0
    rq4, *mine = lines(capsys)
    assert mine == [rq4 | {"format": "mine"}] * 2


def test_tables_are_for_people(path, capsys):
    assert main(["yardstick", "--rows", "2", "--columns", "256", "rq3", "itq3_s"]) == 0
    header, rq3, itq3, _, *explained = capsys.readouterr().out.splitlines()
    assert "perfect" in header and len(explained) == 2
    assert rq3.split()[:2] == ["rq3", "3.0625"] and itq3.split()[:2] == ["itq3_s", "3.1250"]
    assert main(["yardstick", "--model", str(path), "rq3"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.endswith("worst tensor") and row.endswith("down_proj.weight")


@pytest.mark.parametrize("chunk", [1 << 21, 700])
def test_models_are_measured_as_they_are_packed(path, tmp_path, monkeypatch, capsys, chunk):
    monkeypatch.setattr(checkpoint, "CHUNK", chunk)
    assert main(["yardstick", "--json", "--model", str(path), "rq3", MINE]) == 0
    rows = lines(capsys)
    assert [row["format"] for row in rows] == ["rq3", "mine"]
    source = checkpoint.open(path)
    for row, format in zip(rows, (formats.lookup("rq3"), RQ4)):
        assert list(row) == ["format", "bits", "mse", "db", "worst", "worst_mse"]
        report = quantize(source, tmp_path / "out", format, measure=True, progress=False)
        assert row["worst"] == report.worst == LAYER + "down_proj.weight"
        assert row["worst_mse"] == pytest.approx(report.errors[report.worst])
        assert row["bits"] == pytest.approx(report.bits_per_weight)
        # Over all weights: the large tensors count for more.
        norms = {name: np.sum(source.float32(name) ** 2) for name in report.errors}
        lost = sum(report.errors[name] * norm for name, norm in norms.items())
        assert row["mse"] == pytest.approx(lost / sum(norms.values()), rel=1e-4)


def test_model_directories(models, capsys):
    assert main(["yardstick", "--json", "--model", str(models("llama3")), "rq4"]) == 0
    (row,) = lines(capsys)
    assert row["mse"] < 0.02 and row["worst_mse"] >= row["mse"]


def test_nothing_lost_has_no_decibels(tmp_path, capsys):
    name = LAYER + "up_proj.weight"
    path = write_safetensors(tmp_path / "zero", {name: ("F32", (2, 32), bytes(256))})
    assert main(["yardstick", "--json", "--model", str(path), "rq3"]) == 0
    (row,) = lines(capsys)
    assert row["mse"] == 0 and row["db"] is None


def test_progress_goes_to_stderr(capsys, monkeypatch):
    monkeypatch.setattr(yardstick, "BAR_AFTER", 0)
    assert main(["yardstick", "--json", "--rows", "2", "--columns", "256", "rq3"]) == 0
    captured = capsys.readouterr()
    assert "rq3" in captured.err
    assert json.loads(captured.out)["format"] == "rq3"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["nope"], ["nope", "rq3"]),
        (['{"name":"x"}'], ["rotation"]),
        (["absent.json"], ["absent.json"]),
        (["BAD.json"], ["bad.json", "not json"]),
        (["--rows", "0"], ["rq3", "(0, 4096)"]),
        (["--model", "absent"], ["absent"]),
        (["--model", "BAD.json"], ["bad.json"]),
        (["--model", "NAN"], ["up_proj.weight'", "rq3", "nan at row 3, column 7"]),
        (["--model", "EMPTY"], ["no tensor to quantize"]),
        (["--model", "INTEGERS"], ["up_proj.weight'", "I8"]),
        (["--model", "PACKED"], ["packed already"]),
    ],
)
def test_errors(tmp_path, archive_path, capsys, arguments, words):
    name, weight = LAYER + "up_proj.weight", np.ones((5, 32), np.float32)
    weight[3, 7] = np.nan
    files = {
        "BAD.json": tmp_path / "bad.json",
        "NAN": write_safetensors(tmp_path / "nan", {name: ("F32", (5, 32), weight.tobytes())}),
        "EMPTY": write_safetensors(tmp_path / "empty", {"norm": ("F32", (2,), bytes(8))}),
        "INTEGERS": write_safetensors(tmp_path / "int", {name: ("I8", (2, 32), bytes(64))}),
        "PACKED": archive_path,
    }
    files["BAD.json"].write_text("{")
    named = [str(files.get(argument, argument)) for argument in arguments]
    if "--model" in arguments:
        named.append("rq3")
    assert main(["yardstick", *named]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    error = captured.err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    for word in words:
        assert word in error


def test_weights_that_are_not_finite_are_named(matrix):
    matrix[3, 17] = np.inf
    with pytest.raises(RotqError, match="rq4: weight is inf at row 3, column 17"):
        list(yardstick.measure([RQ4], matrix, progress=False))
