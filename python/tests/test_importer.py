# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json
import shutil

import numpy as np
import pytest
from conftest import FIXTURES
from reference_decoder import ReferenceDecoder
from test_decoder import write_gguf

from rotq import RotqError, archive, checkpoint, decoder, formats, model_dir
from rotq.archive import Archive, ArchiveWriter
from rotq.checkpoint import Checkpoint
from rotq.cli import main
from rotq.codec import encode
from rotq.importer import import_model
from rotq.safetensors_writer import Entry

WORKS = 'cp "$1" "$3"'


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A function that puts a script in the place of quant-import."""

    def put(script):
        folder = tmp_path / "tools"
        folder.mkdir(exist_ok=True)
        path = folder / "quant-import"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("ROTQ_TOOLS", str(folder))

    return put


@pytest.fixture
def imported(tmp_path, tool):
    tool(WORKS)
    import_model(FIXTURES / "llama3", tmp_path / "model", progress=False)
    return tmp_path / "model"


FILES = ["decoder.json", "model.mlir", "tokenizer.json", "weights.safetensors"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_directory(imported):
    source = FIXTURES / "llama3"
    assert names(imported) == FILES
    model = model_dir.open_model(imported)
    assert model.description == decoder.describe(source)
    # What the tool was given.
    assert json.loads(model.module.read_text()) == model.description
    assert isinstance(model.weights, Checkpoint)
    weights = checkpoint.open(source)
    assert set(model.weights) == set(weights)
    for name in weights:
        assert model.weights.dtype(name) == weights.dtype(name) == "BF16"
        np.testing.assert_array_equal(model.weights.raw(name), weights.raw(name))
    assert model.tokenizer().encode("a")[0] == model.description["tokens"]["begin"]


def test_a_gguf_file(tmp_path, tool, gguf_tokenizer):
    tool(WORKS)
    path = write_gguf(tmp_path / "model.gguf", "llama3", gguf_tokenizer)
    import_model(path, tmp_path / "model", progress=False)
    model = model_dir.open_model(tmp_path / "model")
    # What the description has in it is not stored a second time.
    assert "rope_freqs.weight" not in model.weights
    tokens = model.tokenizer().encode("some text")
    logits = ReferenceDecoder(model.description, model.weights).logits(tokens)
    source = checkpoint.open(FIXTURES / "llama3")
    expected = ReferenceDecoder(decoder.describe(source), source).logits(tokens)
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())


@pytest.fixture
def gguf_tokenizer():
    given = json.loads((FIXTURES / "llama3" / "tokenizer.json").read_text())["model"]["vocab"]
    tokens = [*sorted(given, key=given.get)[:256], "<begin>", "<end>"]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": [],
    }


def test_packed_weights(imported):
    plain = model_dir.open_model(imported)
    format = formats.lookup("rq3")
    wide = [name for name in plain.weights if len(plain.weights.shape(name)) == 2]
    weights = {name: (plain.weights.shape(name), format) for name in wide}
    others = [
        Entry(name, "BF16", plain.weights.shape(name)) for name in plain.weights if name not in wide
    ]
    with ArchiveWriter(imported / "weights.safetensors", weights, others) as writer:
        for entry in writer.entries:
            if entry.name in weights:
                writer.write(entry.name, encode(format, plain.weights.float32(entry.name)))
            else:
                writer.write(entry.name, plain.weights.raw(entry.name))
    model = model_dir.open_model(imported)
    assert isinstance(model.weights, Archive) and set(model.weights.weights) == set(wide)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo the tool says no >&2; exit 1", "quant-import: the tool says no"),
        ("exit 0", "quant-import wrote no module"),
    ],
)
def test_a_tool_that_fails(tmp_path, tool, script, words):
    tool(script)
    with pytest.raises(RotqError, match=words):
        import_model(FIXTURES / "llama3", tmp_path / "deep" / "model", progress=False)
    assert not (tmp_path / "deep" / "model").exists()


def test_no_tool(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ROTQ_TOOLS", str(tmp_path))
    assert main(["import", str(FIXTURES / "llama3"), str(tmp_path / "model")]) == 1
    assert "quant-import not found" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path, tool, capsys):
    tool(WORKS)
    out = str(tmp_path / "model")
    assert main(["import", str(FIXTURES / "gemma3"), out]) == 0
    assert (
        f"{out}: gemma3_text, 4 layers of 64, 4 heads of 32, 288 tokens" in capsys.readouterr().out
    )


def test_an_import_that_fails_changes_nothing(imported, tool):
    (imported / "mine").write_text("kept")
    (imported / "evaluations.json").write_text("[]")
    tool("exit 1")
    with pytest.raises(RotqError, match="exit code 1"):
        import_model(FIXTURES / "qwen2", imported, progress=False)
    assert names(imported) == sorted([*FILES, "mine", "evaluations.json"])
    assert model_dir.open_model(imported).description["architecture"] == "llama"
    tool(WORKS)
    import_model(FIXTURES / "qwen2", imported, progress=False)
    # What was measured was the other model.
    assert names(imported) == sorted([*FILES, "mine"])
    assert model_dir.open_model(imported).description["architecture"] == "qwen2"


def test_a_model_is_not_replaced_by_its_import(tmp_path, tool):
    tool(WORKS)
    source = tmp_path / "source"
    shutil.copytree(FIXTURES / "llama3", source)
    before = names(source)
    for out in (source, source / "config.json"):
        with pytest.raises(RotqError, match="expected a directory for the model, and not the one"):
            import_model(source, out, progress=False)
    assert names(source) == before


@pytest.mark.parametrize("name", FILES)
def test_missing_files(imported, name):
    (imported / name).unlink()
    with pytest.raises(RotqError, match=name):
        model_dir.open_model(imported)


def test_foreign_files(imported, tmp_path, archive_path):
    with pytest.raises(RotqError, match="expected a model directory"):
        model_dir.open_model(tmp_path / "none")
    with pytest.raises(RotqError, match=r"no decoder\.json"):
        model_dir.open_model(FIXTURES / "llama3")
    weights = imported / "weights.safetensors"
    data = weights.read_bytes()
    for size in (0, 4, 100, len(data) - 1):
        weights.write_bytes(data[:size])
        with pytest.raises(RotqError, match=r"weights\.safetensors"):
            model_dir.open_model(imported)
    shutil.copy(archive_path, weights)
    assert archive.is_archive(weights)
    with pytest.raises(RotqError, match=r"weights\.safetensors: no tensor 'model\.embed"):
        model_dir.open_model(imported)
    write_gguf(weights, "llama3")
    with pytest.raises(RotqError, match=r"weights\.safetensors: expected a safetensors file"):
        model_dir.open_model(imported)
    shutil.copy(FIXTURES / "qwen3" / "model.safetensors", weights)
    with pytest.raises(RotqError, match=r"weights\.safetensors: "):
        model_dir.open_model(imported)
    weights.write_bytes(data)
    (imported / "decoder.json").write_text("{}")
    with pytest.raises(RotqError, match=r"decoder\.json: version None, expected 1"):
        model_dir.open_model(imported)
