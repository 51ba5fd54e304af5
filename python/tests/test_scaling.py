# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import copy
import json
import shutil

import numpy as np
import pytest
from conftest import TINY_MODELS, assert_close
from reference_decoder import ReferenceDecoder

from rotq import RotqError, archive, codec, feedback, formats, model_dir, moments, scaling
from rotq.cli import main
from rotq.description import linear_weights as linears
from rotq.plan import Plan
from rotq.quantize import quantize_model

RQ4 = formats.lookup("rq4")


def random_covariances(model, seed=0):
    """Of channels of which a few are far larger than the others, and which have nothing
    to do with each other."""
    random = np.random.default_rng(seed)
    return {
        place.name: np.diag(np.exp(random.normal(0, 3, place.size)).astype(np.float32))
        for place in moments.places(model.description)
    }


@pytest.fixture
def model(models, tmp_path):
    """A calibrated one."""
    path = shutil.copytree(models("qwen3"), tmp_path / "qwen3")
    model = model_dir.open_model(path)
    moments.write(path, random_covariances(model), "none", 1)
    return model


@pytest.mark.parametrize("name", TINY_MODELS)
def test_a_scaled_model_computes_the_same(models, name):
    model = model_dir.open_model(models(name))
    description = model.description
    sites = scaling.sites(description, linears(description))
    assert len(sites) == 4 * len(description["layers"])
    random = np.random.default_rng(3)
    scales = []
    for site in sites:
        k = model.weights.shape(site.readers[0])[1]
        size = len(site.shared(np.zeros(k)))
        scales.append((site, random.uniform(0.2, 5, size).astype(np.float32)))
    scaled = scaling.Scaled(model.weights, description["norm"]["offset"], scales)
    tokens = random.integers(0, 250, 30)
    plain = ReferenceDecoder(description, model.weights).logits(tokens)
    assert_close(ReferenceDecoder(description, scaled).logits(tokens), plain)
    # Every weight of a layer has other values; the rest has not.
    for weight in linears(description):
        assert not np.array_equal(scaled.float32(weight), model.weights.float32(weight))
        assert scaled.dtype(weight) == "F32"
        rows = slice(3, 7)
        np.testing.assert_array_equal(scaled.float32(weight, rows), scaled.float32(weight)[rows])
    embedding = description["embedding"]["weight"]
    np.testing.assert_array_equal(scaled.raw(embedding), model.weights.raw(embedding))
    assert scaled.dtype(embedding) == model.weights.dtype(embedding)


def test_what_is_not_scaled(models):
    description = model_dir.open_model(models("qwen2")).description
    layer = description["layers"][0]
    names = linears(description)

    def readers(names, description=description):
        return [site.readers for site in scaling.sites(description, names)]

    everything = readers(names)
    o, qkv = (layer["o"]["weight"],), tuple(layer[part]["weight"] for part in "qkv")
    gate_up = (layer["gate"]["weight"], layer["up"]["weight"])
    # A weight that is kept keeps its values: v reads the norm, and o reads v.
    kept = readers([name for name in names if name != layer["v"]["weight"]])
    assert set(everything) - set(kept) == {qkv, o}
    # The order of keys in decoder.json says nothing.
    turned = copy.deepcopy(description)
    for other in turned["layers"]:
        other["v"] = dict(reversed(other["v"].items()))
        assert list(other["v"]) == ["bias", "weight"]
    assert readers(names, turned) == everything
    # So does a tensor that another place has as well.
    shared = copy.deepcopy(description)
    shared["layers"][1]["mlp_norm"] = layer["mlp_norm"]
    assert gate_up not in readers(names, shared)
    assert len(readers(names, shared)) == len(everything) - 2


def test_the_closed_form(model, monkeypatch):
    monkeypatch.setattr(scaling, "POWERS", ())
    read = moments.read(model).second
    site = scaling.sites(model.description, linears(model.description))[1]
    assert site.repeats == 2 and site.norm == ""
    rule, scales, gain = scaling._choose(
        model.weights, site, read, dict.fromkeys(site.readers, RQ4), 0
    )
    assert rule == "closed form"
    weight = model.weights.float32(site.readers[0]).astype(np.float64)
    heads = (model.description["attention"]["kv_heads"], 2, -1)
    m = read[site.readers[0]].reshape(heads).sum(axis=1).ravel()
    c = (weight**2).sum(axis=0).reshape(heads).sum(axis=1).ravel()
    expected = (m / c) ** 0.25
    np.testing.assert_allclose(scales / scales[0], expected / expected[0], rtol=1e-5)
    # The norm of the weight stays, and the gain is about what the formula says.
    wide = weight * site.spread(scales)
    assert np.sum(wide**2) == pytest.approx(np.sum(weight**2), rel=1e-5)
    formula = c.sum() * m.sum() / np.sqrt(c * m).sum() ** 2
    assert gain == pytest.approx(10 * np.log10(formula), abs=1.0)


def test_powers(model, monkeypatch):
    """Of two rules the better one: by moments that one rule was made for."""
    monkeypatch.setattr(scaling, "POWERS", (0.4,))
    site = scaling.sites(model.description, linears(model.description))[3]
    read = moments.read(model).second[site.readers[0]].astype(np.float64)
    tried = []

    def decode(format, blob, n, k, **_):
        tried.append(blob)
        return blob

    # Encoded without loss: what is tried is the weight times its scales.
    monkeypatch.setattr(scaling.codec, "encode", lambda format, wide, **_: wide.copy())
    monkeypatch.setattr(scaling.codec, "decode", decode)
    chosen = scaling._choose(
        model.weights, site, moments.read(model).second, dict.fromkeys(site.readers, RQ4), 0
    )
    assert chosen == ("none", None, 0.0)
    none, power, _ = tried
    ratio = (power / none)[0]
    np.testing.assert_allclose(ratio / ratio[0], (read / read[0]) ** 0.2, rtol=1e-4)


def test_every_weight_counts_by_its_rows_and_in_its_format(model, monkeypatch):
    monkeypatch.setattr(scaling, "POWERS", ())
    monkeypatch.setattr(scaling, "ROWS", 4)
    site = scaling.sites(model.description, linears(model.description))[0]
    formats_by_name = dict(zip(site.readers, map(formats.lookup, ("rq4", "rq2", "rq3"))))
    rows = {name: model.weights.shape(name)[0] for name in site.readers}
    assert len(set(rows.values())) == 2
    encoded = []

    def encode(format, wide, **_):
        encoded.append((format.name, len(wide)))
        return wide

    def decode(format, wide, n, k, **_):
        # An error of 1 everywhere, twice that in q unless it is scaled.
        is_plain = len(encoded) <= 3
        return wide - (2 if is_plain and format.name == "rq4" else 1)

    monkeypatch.setattr(scaling.codec, "encode", encode)
    monkeypatch.setattr(scaling.codec, "decode", decode)
    monkeypatch.setattr(scaling, "_normalized", lambda values, columns: np.ones_like(values))
    rule, _, gain = scaling._choose(
        model.weights, site, moments.read(model).second, formats_by_name, 0
    )
    assert encoded == [("rq4", 4), ("rq2", 4), ("rq3", 4)] * 2
    assert rule == "closed form"
    q, k, v = (rows[name] for name in site.readers)
    assert gain == pytest.approx(10 * np.log10((4 * q + k + v) / (q + k + v)), rel=1e-6)


def test_no_weight_pays_for_another(model, monkeypatch):
    monkeypatch.setattr(scaling, "POWERS", ())
    site = scaling.sites(model.description, linears(model.description))[0]
    formats_by_name = dict(zip(site.readers, map(formats.lookup, ("rq4", "rq2", "rq3"))))
    calls = []

    def decode(format, wide, n, k, **_):
        calls.append(format.name)
        # Scaled, q is far better and k a little worse.
        errors = {"rq4": 9, "rq2": 1, "rq3": 1} if len(calls) <= 3 else {"rq4": 1, "rq2": 1.1}
        return wide - np.float32(errors.get(format.name, 1))

    monkeypatch.setattr(scaling.codec, "encode", lambda format, wide, **_: wide)
    monkeypatch.setattr(scaling.codec, "decode", decode)
    monkeypatch.setattr(scaling, "_normalized", lambda values, columns: np.ones_like(values))
    chosen = scaling._choose(model.weights, site, moments.read(model).second, formats_by_name, 0)
    assert chosen == ("none", None, 0.0)


def test_scales_are_bounded(model):
    site = scaling.sites(model.description, linears(model.description))[3]
    name = site.readers[0]
    read = moments.read(model).second
    read[name][:5] = 0
    read[name][5] = 1e30
    chosen = scaling._choose(model.weights, site, read, {name: RQ4}, 0)
    assert chosen[0] != "none"
    assert (chosen[1] >= 2.0**-8).all() and (chosen[1] <= 2.0**8).all()


def expected_error(model, packed, read, scales):
    """Of all outputs: sum of m_j (W' / s - W)_rj^2."""
    total = 0.0
    for name in linears(model.description):
        decoded = packed.float32(name).astype(np.float64)
        if scales is not None:
            wide = scales.float32(name).astype(np.float64)
            decoded = decoded * (model.weights.float32(name) / wide)
        error = decoded - model.weights.float32(name)
        total += float((error**2 * read[name]).sum())
    return total


def test_scales_lower_the_expected_error(model, tmp_path):
    read = moments.read(model).second
    options = {"feedback": False, "progress": False}
    quantize_model(model, tmp_path / "plain", RQ4, scales=False, **options)
    report = quantize_model(model, tmp_path / "scaled", RQ4, **options)
    plain, scaled = (model_dir.open_model(tmp_path / name) for name in ("plain", "scaled"))
    formats_by_name = dict.fromkeys(linears(model.description), RQ4)
    scales, choices = scaling.scaled(
        model.weights, model.description, read, formats_by_name, progress=False
    )
    assert choices == report.scales
    before = expected_error(model, plain.weights, read, None)
    after = expected_error(model, scaled.weights, read, scales)
    assert after < 0.5 * before
    # quantize.json says what was done, and of how much use it was.
    said = json.loads((tmp_path / "scaled" / "quantize.json").read_text())["scales"]
    assert len(said) == 4 * len(model.description["layers"])
    used = [site for site in said if site["rule"] != "none"]
    assert len(used) > len(said) / 2 and all(site["gain_db"] > 0 for site in used)
    assert json.loads((tmp_path / "plain" / "quantize.json").read_text())["scales"] == []
    # What it was measured on is no part of a packed model.
    assert not (tmp_path / "scaled" / model_dir.CALIBRATION).exists()


def test_rules_are_tried_with_the_feedback_there_will_be(model):
    """Channels that have to do with each other: the loss is that of outputs."""
    site = scaling.sites(model.description, linears(model.description))[3]
    name = site.readers[0]
    n, k = model.weights.shape(name)
    random = np.random.default_rng(1)
    x = random.standard_normal((4 * k, k // 4)) @ random.standard_normal((k // 4, k))
    x = (x + random.standard_normal((4 * k, k))) * np.exp(random.normal(0, 1, k))
    covariance = (x.T @ x / len(x)).astype(np.float32)
    formats_by_name, read = {name: RQ4}, {name: np.diagonal(covariance).copy()}
    choose = (model.weights, site, read, formats_by_name, 0)
    rule, scales, gain = scaling._choose(*choose, covariance)
    assert rule in ("power 0.3", "closed form")
    weight, losses = model.weights.float32(name), []
    for values in (np.ones(k, np.float32), site.spread(scales)):
        wide = weight * values
        fed = feedback.factor(RQ4, covariance, values)
        error = wide - codec.decode(RQ4, codec.encode(RQ4, wide, feedback=fed), n, k)
        error = error / values.astype(np.float64)
        losses.append(np.einsum("ij,ij->", error @ covariance, error))
    assert n <= scaling.ROWS
    assert gain == pytest.approx(10 * np.log10(losses[0] / losses[1]), rel=1e-3)


def test_no_moments_and_no_weights_need_no_scale(model):
    site = scaling.sites(model.description, linears(model.description))[3]
    formats_by_name = dict.fromkeys(site.readers, RQ4)
    read = {name: np.zeros_like(m) for name, m in moments.read(model).second.items()}
    assert scaling._choose(model.weights, site, read, formats_by_name, 0) == ("none", None, 0.0)

    class Zero:
        path = model.path
        shape, chunks = model.weights.shape, model.weights.chunks

        def float32(self, name, rows=slice(None)):
            return np.zeros_like(model.weights.float32(name, rows))

    chosen = scaling._choose(Zero(), site, moments.read(model).second, formats_by_name, 0)
    assert chosen == ("none", None, 0.0)


def test_weights_that_cannot_be_encoded_are_named(model, tmp_path):
    name, value = model.description["layers"][0]["down"]["weight"], np.nan

    class Broken(scaling.Scaled):
        def float32(self, wanted, rows=slice(None)):
            values = super().float32(wanted)
            if wanted == name:
                values[5, 7] = value
            return values[rows]

    broken = model_dir.Model(model.path, model.description, Broken(model.weights, 0.0, []))
    with pytest.raises(RotqError, match=f"'{name}'.* row 5"):
        quantize_model(broken, tmp_path / "out", RQ4, progress=False)
    value = 1e20  # finite, and more than can be encoded
    with pytest.raises(RotqError, match=f"'{name}'.*below 2\\^64.* row 5"):
        quantize_model(broken, tmp_path / "out", RQ4, progress=False)
    assert not (tmp_path / "out").exists()


def test_formats_of_a_plan(model, tmp_path):
    """Every site is tried in the formats that its weights get."""
    plan = Plan({r".*\.down_proj\.weight": "rq2", r".*layers\.0\..*v_proj\.weight": "keep"})
    report = quantize_model(model, tmp_path / "out", RQ4, plan=plan, progress=False)
    layers = len(model.description["layers"])
    assert len(report.scales) == 4 * layers - 2
    packed = archive.open(tmp_path / "out" / model_dir.WEIGHTS)
    v = model.description["layers"][0]["v"]["weight"]
    np.testing.assert_array_equal(packed[v], model.weights.raw(v))


def test_the_command(model, models, tmp_path, capsys):
    out = str(tmp_path / "out")
    command = ["quantize", str(model.path), out, "--format", "rq4"]
    assert main(command) == 0
    assert "activation-aware scales: " in capsys.readouterr().out
    assert main([*command, "--no-scales"]) == 0
    assert "scales" not in capsys.readouterr().out
    uncalibrated = ["quantize", str(models("qwen3")), out, "--scales"]
    assert main(uncalibrated) == 1
    assert "not calibrated: run `rotq calibrate`" in capsys.readouterr().err
    file = str(model.path / model_dir.WEIGHTS)
    assert main(["quantize", file, str(tmp_path / "x.safetensors"), "--scales"]) == 1
    assert "--scales is for model directories" in capsys.readouterr().err
