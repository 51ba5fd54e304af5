# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import gguf
import ml_dtypes
import numpy as np
import pytest
from conftest import FIXTURES, write_safetensors

from rotq import RotqError, archive, checkpoint, codec, formats, inference, model_dir, plan
from rotq.cli import main
from rotq.plan import Plan
from rotq.quantize import dequantize, quantize, quantize_model, relative_error

FILES = ["decoder.json", "model.mlir", "quantize.json", "tokenizer.json", "weights.safetensors"]
RQ3 = formats.lookup("rq3")
MIXED = {
    r".*\.down_proj\.weight": "rq4",
    r".*layers\.1\.self_attn\.v_proj\.weight": "keep",
    r".*layers\.1\..*_proj\.weight": "itq3_s",
    r".*layers\.0\.mlp\..*": formats.lookup("rq2").declaration | {"name": "mine"},
}


@pytest.fixture
def model(models):
    return model_dir.open_model(models("llama3"))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def formats_of(path):
    return {name: format.name for name, (_, format) in archive.open(path).weights.items()}


def dense(path, shapes, seed=0):
    """A safetensors file of random f32 weights."""
    random = np.random.default_rng(seed)
    return write_safetensors(
        path,
        {
            name: ("F32", shape, random.standard_normal(shape, np.float32).tobytes())
            for name, shape in shapes.items()
        },
    )


LAYER = "model.layers.0.mlp."
SHAPES = {
    "model.embed_tokens.weight": (40, 96),
    LAYER + "gate_proj.weight": (70, 96),
    LAYER + "up_proj.weight": (70, 96),
    "model.norm.weight": (96,),
}


@pytest.fixture
def source(tmp_path):
    return checkpoint.open(dense(tmp_path / "dense.safetensors", SHAPES))


def test_a_model_directory(model, tmp_path):
    out = tmp_path / "deep" / "out"
    report = quantize_model(model, out, RQ3, plan=Plan(MIXED), progress=False)
    assert names(out) == FILES
    for name in ("decoder.json", "model.mlir", "tokenizer.json"):
        assert (out / name).read_bytes() == (model.path / name).read_bytes()
    packed = model_dir.open_model(out).weights
    layers = model.description["layers"]
    assert len(packed.weights) == 7 * len(layers) - 1
    for index, layer in enumerate(layers):
        for part in ("q", "k", "v", "o", "gate", "up", "down"):
            name = layer[part]["weight"]
            if (index, part) == (1, "v"):
                assert name not in packed.weights
                continue
            default = ("mine" if part in ("gate", "up") else "rq3", "itq3_s", "rq3")[index]
            expected = "rq4" if part == "down" else default
            assert packed.weights[name][1].name == expected
    for name in set(packed) - set(packed.weights):
        np.testing.assert_array_equal(packed[name], model.weights.raw(name))
    assert report.path == out and report.format.startswith("rq3+")


def test_what_quantize_json_says(model, tmp_path):
    out = tmp_path / "out"
    quantize_model(model, out, RQ3, plan=Plan(MIXED), progress=False)
    report = json.loads((out / "quantize.json").read_text())
    assert list(report) == [
        *("format", "source", "seconds", "bytes", "packed_bits", "bits"),
        *("feedback", "scales", "tensors"),
    ]
    assert report["source"] == "llama3" and report["seconds"] > 0
    assert report["bytes"] == (out / "weights.safetensors").stat().st_size
    packed = archive.open(out / "weights.safetensors")
    assert [tensor["name"] for tensor in report["tensors"]] == list(model.weights)
    total = weights = packed_total = packed_weights = 0
    for tensor in report["tensors"]:
        name, shape = tensor["name"], tuple(tensor["shape"])
        assert shape == model.weights.shape(name)
        total += tensor["bits"] * np.prod(shape)
        weights += np.prod(shape)
        if name not in packed.weights:
            assert tensor["format"] is None and tensor["error"] is None and tensor["bits"] == 16
            continue
        packed_total += tensor["bits"] * np.prod(shape)
        packed_weights += np.prod(shape)
        format = packed.weights[name][1]
        assert tensor["format"] == format.name
        assert tensor["bits"] == format.layout(*shape).bits_per_weight
        error = relative_error(model.weights.float32(name), packed.float32(name))
        assert tensor["error"] == pytest.approx(error, rel=1e-6)
    assert report["bits"] == pytest.approx(total / weights)
    assert report["packed_bits"] == pytest.approx(packed_total / packed_weights)


def test_the_command(models, tmp_path, capsys):
    rules = tmp_path / "plan.json"
    rules.write_text(json.dumps(MIXED))
    out = tmp_path / "out"
    source = str(models("llama3"))
    arguments = ["--plan", str(rules), "--embeddings", "rq4", "--exclude", ".*o_proj.*"]
    assert main(["quantize", source, str(out), *arguments, "--no-measure"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{out}: ") and "relative squared error" not in printed
    report = json.loads((out / "quantize.json").read_text())
    assert all(tensor["error"] is None for tensor in report["tensors"])
    used = formats_of(out / "weights.safetensors")
    assert used["model.embed_tokens.weight"] == "rq4"
    assert "model.layers.0.self_attn.o_proj.weight" not in used
    # A rule goes ahead of --exclude.
    assert used["model.layers.1.self_attn.o_proj.weight"] == "itq3_s"
    assert used["model.layers.2.self_attn.q_proj.weight"] == "rq3"
    # What is there is replaced.
    assert main(["quantize", source, str(out), "--include", ".*up_proj.weight"]) == 0
    assert "relative squared error" in capsys.readouterr().out
    assert names(out) == FILES
    assert len(formats_of(out / "weights.safetensors")) == 3


@pytest.mark.parametrize("name", ["llama3", "gemma3"])
def test_embedding_and_head(models, tmp_path, name):
    model = model_dir.open_model(models(name))
    parts = [model.description[part]["weight"] for part in ("embedding", "head")]
    out = tmp_path / "out"
    report = quantize_model(model, out, RQ3, embeddings=formats.lookup("rq4"), progress=False)
    used = formats_of(out / "weights.safetensors")
    assert {name for name, format in used.items() if format == "rq4"} == set(parts)
    assert [tensor.name for tensor in report.packed if tensor.format == "rq4"] == [
        name for name in model.weights if name in parts
    ]


def test_a_plan_for_a_checkpoint(source, tmp_path):
    out = tmp_path / "out.safetensors"
    report = quantize(source, out, RQ3, plan=Plan({".*embed.*": "rq4"}), progress=False)
    assert formats_of(out) == {
        "model.embed_tokens.weight": "rq4",
        LAYER + "gate_proj.weight": "rq3",
        LAYER + "up_proj.weight": "rq3",
    }
    assert report.format == "rq3+rq4" and report.errors == {}
    rules = {".*gate.*": "keep", ".*(gate|up)_proj.*": "rq4"}
    quantize(source, out, RQ3, plan=Plan(rules), progress=False)
    assert formats_of(out) == {LAYER + "up_proj.weight": "rq4"}
    with pytest.raises(RotqError, match="no tensor to quantize"):
        quantize(source, out, RQ3, plan=Plan({".*": "keep"}), progress=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "No such file"),
        ("{", "not JSON"),
        ("[" * 100000, "not JSON"),
        ("[]", "not a JSON object"),
        ('{"a": "rq3", "a": "rq4"}', "a key is there twice"),
        ('{"(": "rq3"}', r"rule '\(': '\(' is not a regular expression"),
        ('{".*up.*": "rq9"}', r"rule '\.\*up\.\*': .*rq9"),
        ('{".*up.*": {"name": "x"}}', r"rule '\.\*up\.\*': "),
        ('{".*up.*": 3}', r"rule '\.\*up\.\*': expected a format or 'keep' but got 3"),
        ('{"up": "keep"}', r"rule 'up': matches no tensor of .*dense\.safetensors"),
        (
            '{".*norm.*": "rq3"}',
            r"rule '\.\*norm\.\*': .*'model\.norm\.weight': .* weights to quantize but got shape",
        ),
    ],
)
def test_plans_that_do_not_fit(source, tmp_path, text, words):
    path = tmp_path / "plan.json"
    if text is not None:
        path.write_text(text)
    before = names(tmp_path)
    with pytest.raises(RotqError, match=rf"plan\.json: .*{words}"):
        quantize(source, tmp_path / "out", RQ3, plan=plan.load(path), progress=False)
    assert names(tmp_path) == before


def test_two_formats_of_one_name(source, tmp_path):
    other = formats.lookup("rq4").declaration | {"name": "rq3"}
    with pytest.raises(RotqError, match="two formats called 'rq3'"):
        quantize(source, tmp_path / "out", RQ3, plan=Plan({".*up.*": other}), progress=False)
    assert names(tmp_path) == ["dense.safetensors"]


def refused(capsys, *arguments):
    assert main(["quantize", *map(str, arguments)]) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and "\n" not in error
    return error


def test_what_is_refused(models, source, tmp_path, capsys):
    plain, made = models("llama3"), tmp_path / "made"
    assert main(["quantize", str(plain), str(made)]) == 0
    packed = made / "weights.safetensors"
    out = tmp_path / "out"
    capsys.readouterr()
    assert "packed already" in refused(capsys, made, out)
    assert "packed already" in refused(capsys, packed, out)
    assert "not the one that is read" in refused(capsys, plain, plain)
    assert "expected a directory for the model" in refused(capsys, plain, packed)
    assert "expected a file for the archive" in refused(capsys, source.path, made)
    assert "is for model directories" in refused(capsys, source.path, out, "--embeddings", "rq3")
    # One shard of a model.
    folder = tmp_path / "shards"
    folder.mkdir()
    shard = dense(folder / "a.safetensors", SHAPES)
    before = shard.read_bytes()
    assert "another file than the one that is read" in refused(capsys, folder, shard)
    assert shard.read_bytes() == before
    # Not taken for a folder of shards.
    (made / "decoder.json").unlink()
    assert "no decoder.json" in refused(capsys, made, out)
    assert not out.exists()


def write_q8_0(path):
    random = np.random.default_rng(0)
    weight = random.standard_normal((70, 96), np.float32)
    writer = gguf.GGUFWriter(path, "qwen2")
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor("blk.0.ffn_up.weight", gguf.quants.quantize(weight, kind), raw_dtype=kind)
    writer.add_tensor("blk.0.ffn_gate.weight", weight.astype(np.float16))
    writer.add_tensor("token_embd.weight", gguf.quants.quantize(weight, kind), raw_dtype=kind)
    bfloat = gguf.GGMLQuantizationType.BF16
    writer.add_tensor("output.weight", gguf.quants.quantize(weight, bfloat), raw_dtype=bfloat)
    writer.add_tensor("blk.0.attn_norm.weight", weight[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("container", ["safetensors", "gguf"])
def test_chunks_change_no_byte(source, tmp_path, monkeypatch, container):
    if container == "gguf":
        source = checkpoint.open(write_q8_0(tmp_path / "model.gguf"))
    out = tmp_path / "out"
    for name in formats.names():
        format = formats.lookup(name)
        monkeypatch.setattr(checkpoint, "CHUNK", 1 << 21)
        whole = quantize(source, out, format, measure=True, progress=False)
        expected = out.read_bytes()
        for weight, (shape, _) in archive.open(out).weights.items():
            blob = codec.encode(format, source.float32(weight))
            np.testing.assert_array_equal(archive.open(out)[weight].blob, blob)
            assert shape == source.shape(weight)
        for chunk in (1, 96, 700, 69 * 96):
            monkeypatch.setattr(checkpoint, "CHUNK", chunk)
            report = quantize(source, out, format, measure=True, progress=False)
            assert out.read_bytes() == expected
            assert report.errors == pytest.approx(whole.errors)


def test_a_row_of_a_chunk_is_named(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    weight = np.ones((70, 96), np.float32)
    weight[43, 7] = np.nan
    write_safetensors(path, {LAYER + "up_proj.weight": ("F32", weight.shape, weight.tobytes())})
    monkeypatch.setattr(checkpoint, "CHUNK", 10 * 96)
    with pytest.raises(RotqError, match=r"up_proj\.weight': weight is nan at row 43, column 7"):
        quantize(checkpoint.open(path), tmp_path / "out", RQ3, progress=False)
    assert names(tmp_path) == ["model.safetensors"]


PACKAGES = Path(__file__).parents[1]


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        # pytest's path is not that of its children.
        env=os.environ | {"PYTHONPATH": str(PACKAGES)},
    )


MEMORY = """
import sys
import numpy as np
from rotq import checkpoint, formats, scaling
from rotq.quantize import quantize

def memory(kind):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(kind))

small, large, out = sys.argv[1:]
quantize(checkpoint.open(small), out, formats.lookup("rq3"), measure=True, progress=False)
before = memory("VmRSS")
for measure in (False, True):
    quantize(checkpoint.open(large), out, formats.lookup("rq4"), measure=measure, progress=False)
source = checkpoint.open(large)
readers = tuple(source.linear_layers())
site = scaling.Site(readers, "", ())
read = np.exp(np.random.default_rng(1).normal(size=source.shape(readers[0])[1]))
by_name = dict.fromkeys(readers, formats.lookup("rq4"))
rule, scales, _ = scaling._choose(source, site, dict.fromkeys(readers, read), by_name, 0)
scaled = scaling.Scaled(source, 0.0, [(site, scales)])
quantize(scaled, out, formats.lookup("rq4"), measure=True, progress=False)
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory(source, tmp_path):
    """Two tensors to pack and one to keep, none of which is ever in memory as floats,
    scaled or not."""
    shape = (12288, 2048)
    random = np.random.default_rng(0)
    block = random.standard_normal((1024, 2048), np.float32).astype(ml_dtypes.bfloat16)
    data = block.tobytes() * (shape[0] // 1024)
    tensors = ("gate_proj", "up_proj", "other")
    path = write_safetensors(
        tmp_path / "large.safetensors",
        {f"{LAYER}{name}.weight": ("BF16", shape, data) for name in tensors},
    )
    result = run(MEMORY, source.path, path, tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 0.9 * 4 * shape[0] * shape[1]


#: Quantizes, and kills itself ahead of the n-th call of a function.
KILLED = """
import os, signal, shutil, sys
from rotq import checkpoint, codec, formats, model_dir
from rotq.quantize import quantize, quantize_model

source, out, function, count = sys.argv[1:]
module = {"encode": codec, "replace": os, "copyfile": shutil, "rmtree": shutil}[function]
original, left = getattr(module, function), int(count)

def killer(*arguments, **options):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)

setattr(module, function, killer)
format = formats.lookup("rq3")
if os.path.isdir(source):
    quantize_model(model_dir.open_model(source), out, format, progress=False)
else:
    quantize(checkpoint.open(source), out, format, progress=False)
"""


def killed(*arguments):
    result = run(KILLED, *arguments)
    assert result.returncode == -signal.SIGKILL, result.stderr


def test_killed_over_an_archive(source, tmp_path):
    out = tmp_path / "out"
    report = quantize(source, out, RQ3, progress=False)
    expected = out.read_bytes()
    for function, count in (("encode", 1), ("encode", 2), ("replace", 1)):
        out.unlink()
        killed(source.path, out, function, count)
        assert names(tmp_path) == ["dense.safetensors", "out.tmp"]
        with pytest.raises(RotqError):
            archive.open(tmp_path / "out")
        quantize(source, out, RQ3, progress=False)
        assert names(tmp_path) == ["dense.safetensors", "out"]
        assert out.read_bytes() == expected
    assert report.archive_bytes == len(expected)


@pytest.mark.parametrize(
    ("function", "count"),
    [("copyfile", 2), ("encode", 1), ("encode", 12), *(("replace", n) for n in range(1, 7))],
)
def test_killed_over_a_model_directory(model, tmp_path, function, count):
    new, old = tmp_path / "new", tmp_path / "old"
    killed(model.path, new, function, count)
    with pytest.raises(RotqError, match=r"no decoder\.json"):
        model_dir.open_model(new)
    quantize_model(model, old, formats.lookup("rq4"), progress=False)
    (old / "evaluations.json").write_text("[]")
    before = (old / "weights.safetensors").read_bytes()
    killed(model.path, old, function, count)
    if function == "replace" and count > 1:
        with pytest.raises(RotqError, match=r"no decoder\.json"):
            model_dir.open_model(old)
    else:
        model_dir.open_model(old)
        assert (old / "weights.safetensors").read_bytes() == before
    for out in (new, old):
        quantize_model(model, out, RQ3, progress=False)
        assert names(out) == FILES
        assert set(formats_of(out / "weights.safetensors").values()) == {"rq3"}
    weights = [(out / "weights.safetensors").read_bytes() for out in (new, old)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("kind", ["archive", "model"])
def test_two_writers_of_one_place(model, source, tmp_path, monkeypatch, kind):
    out, encode, refusals = tmp_path / "out", codec.encode, []

    def write(format):
        if kind == "archive":
            quantize(source, out, format, progress=False)
            return formats_of(out).values()
        quantize_model(model, out, format, progress=False)
        return formats_of(out / "weights.safetensors").values()

    def meanwhile(*arguments, **options):
        monkeypatch.setattr(codec, "encode", encode)
        with pytest.raises(RotqError, match=f"{out}.*: another process is writing it"):
            write(formats.lookup("rq4"))
        refusals.append(True)
        return encode(*arguments, **options)

    monkeypatch.setattr(codec, "encode", meanwhile)
    assert set(write(RQ3)) == {"rq3"}
    assert refusals == [True] and names(tmp_path) == ["dense.safetensors", "out"]
    assert kind == "archive" or names(out) == FILES
    # In turns both may.
    assert set(write(formats.lookup("rq4"))) == {"rq4"}


def test_a_run_that_fails_leaves_the_model(model, tmp_path, monkeypatch):
    out = tmp_path / "out"
    quantize_model(model, out, RQ3, progress=False)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fails(*arguments, **options):
        raise RotqError("no")

    monkeypatch.setattr(codec, "decode", fails)
    for place in (out, tmp_path / "new"):
        with pytest.raises(RotqError, match="no"):
            quantize_model(model, place, formats.lookup("rq4"), progress=False)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert names(tmp_path) == ["out"]


def logits(path, options=""):
    expected = np.load(FIXTURES / "llama3" / "reference.npz")
    prompt = expected["tokens"][0][: expected["lengths"][0]]
    runner = inference.Runner(path, options=options)
    return runner.session(128).prefill(prompt, logits=len(prompt))


def distance(x, y):
    return np.linalg.norm(x - y) / np.linalg.norm(y)


def test_a_quantized_model_runs(model, tmp_path):
    out, decoded = tmp_path / "out", tmp_path / "decoded"
    rules = {
        r".*layers\.1\..*v_proj\.weight": "itq3_s",
        r".*layers\.2\.mlp\.down_proj\.weight": "int4_g128",
        r".*(q|k|v|gate|up)_proj\.weight": "keep",
    }
    rq4 = formats.lookup("rq4")
    quantize_model(model, out, rq4, plan=Plan(rules), embeddings=rq4, progress=False)
    weights = archive.open(out / "weights.safetensors")
    assert {format.name for _, format in weights.weights.values()} == {"rq4", "itq3_s", "int4_g128"}
    report = json.loads((out / "quantize.json").read_text())
    assert inference.Runner(out).bits_per_weight() == pytest.approx(report["bits"])
    shutil.copytree(out, decoded)
    dequantize(weights, decoded / "weights.safetensors", "F32", progress=False)
    expected, dense = logits(decoded), logits(model.path)
    # The weights are those of the archive; what is left are activations of 8 bits.
    assert distance(logits(out, "activations=float"), expected) < 1e-5
    ours = logits(out)
    assert distance(ours, expected) < 0.05
    # Random weights have it hard: logits that have nothing in common are 1.4 apart.
    assert distance(ours, dense) < 0.8
