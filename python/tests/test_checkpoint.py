# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json

import gguf
import ml_dtypes
import numpy as np
import pytest
from conftest import write_safetensors

from rotq import RotqError, archive, checkpoint, formats
from rotq.quantize import dequantize, quantize

LAYER = "model.layers.0."


def tensor(array, dtype):
    return dtype, array.shape, array.tobytes()


@pytest.fixture
def shards(tmp_path):
    """A sharded model with a bf16 projection, the transpose of the f32 one."""
    q = np.random.default_rng(5).standard_normal((64, 96), dtype=np.float32)
    down = q.T.astype(ml_dtypes.bfloat16)
    files = {
        "a.safetensors": {
            LAYER + "self_attn.q_proj.weight": tensor(q, "F32"),
            "model.norm.weight": tensor(np.ones(64, np.float16), "F16"),
        },
        "b.safetensors": {
            LAYER + "mlp.down_proj.weight": tensor(down, "BF16"),
            "model.embed_tokens.weight": tensor(down, "BF16"),
            LAYER + "self_attn.q_proj.bias": tensor(q[0], "F32"),
        },
    }
    for file, tensors in files.items():
        write_safetensors(tmp_path / file, tensors)
    index = {"weight_map": {name: file for file, names in files.items() for name in names}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    return tmp_path


@pytest.fixture
def gguf_path(tmp_path):
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    random = np.random.default_rng(4)
    q = random.standard_normal((32, 64), dtype=np.float32)
    writer.add_tensor("blk.0.attn_q.weight", q)
    writer.add_tensor(
        "blk.0.ffn_down.weight",
        gguf.quants.quantize(q, gguf.GGMLQuantizationType.Q8_0),
        raw_dtype=gguf.GGMLQuantizationType.Q8_0,
    )
    writer.add_tensor(
        "token_embd.weight",
        gguf.quants.quantize(q, gguf.GGMLQuantizationType.BF16),
        raw_dtype=gguf.GGMLQuantizationType.BF16,
    )
    writer.add_tensor(
        "output.weight",
        gguf.quants.quantize(q, gguf.GGMLQuantizationType.Q8_0),
        raw_dtype=gguf.GGMLQuantizationType.Q8_0,
    )
    writer.add_tensor("blk.0.attn_norm.weight", q[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path, q


def test_shards(shards):
    source = checkpoint.open(shards)
    assert source.linear_layers() == [
        LAYER + "self_attn.q_proj.weight",
        LAYER + "mlp.down_proj.weight",
    ]
    name = LAYER + "mlp.down_proj.weight"
    assert source.dtype(name) == "BF16" and source.shape(name) == (96, 64)
    dense = source.float32(name)
    assert dense.dtype == np.float32
    q = source.float32(LAYER + "self_attn.q_proj.weight")
    np.testing.assert_allclose(dense, q.T, rtol=4e-3)
    assert source.notes == []


def test_include_and_exclude(shards):
    source = checkpoint.open(shards)
    assert source.linear_layers(include=".*weight", exclude=".*(embed|down).*") == [
        LAYER + "self_attn.q_proj.weight"
    ]
    with pytest.raises(RotqError, match="regular expression"):
        source.linear_layers(include="(")


def test_directory_without_index(shards):
    (shards / "model.safetensors.index.json").unlink()
    assert len(checkpoint.open(shards).names()) == 5
    assert len(checkpoint.open(shards / "a.safetensors").names()) == 2


def test_broken_directories(shards, tmp_path):
    index = shards / "model.safetensors.index.json"
    for text in (
        "",
        "[]",
        "{}",
        '{"weight_map": 3}',
        '{"weight_map": {"a": "../../etc/x"}}',
        '{"weight_map": {"a": 3}}',
        '{"weight_map": {"a": "none.safetensors"}}',
    ):
        index.write_text(text)
        with pytest.raises(RotqError, match=str(tmp_path)):
            checkpoint.open(shards)
    index.unlink()
    (shards / "c.safetensors").write_bytes((shards / "a.safetensors").read_bytes())
    with pytest.raises(RotqError, match="another shard"):
        checkpoint.open(shards)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RotqError, match="no safetensors"):
        checkpoint.open(empty)
    with pytest.raises(RotqError, match="none"):
        checkpoint.open(tmp_path / "none")


def test_truncated_files(shards, gguf_path):
    for path in (shards / "b.safetensors", gguf_path[0]):
        data = path.read_bytes()
        for size in (0, 3, 4, 20, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:size])
            with pytest.raises(RotqError, match=path.name):
                checkpoint.open(path)


def test_gguf(gguf_path):
    path, q = gguf_path
    source = checkpoint.open(path)
    assert source.linear_layers() == ["blk.0.attn_q.weight", "blk.0.ffn_down.weight"]
    np.testing.assert_array_equal(source.float32("blk.0.attn_q.weight"), q)
    np.testing.assert_allclose(source.float32("blk.0.ffn_down.weight"), q, atol=0.03)
    assert source.dtype("output.weight") == "F16"
    assert source.raw("output.weight").shape == source.shape("output.weight") == (32, 64)
    assert source.dtype("token_embd.weight") == "BF16"
    np.testing.assert_array_equal(source.raw("token_embd.weight"), q.astype(ml_dtypes.bfloat16))
    assert any("permuted" in note for note in source.notes)


def test_model_to_archive_and_back(shards, gguf_path):
    for path in (shards, gguf_path[0]):
        source = checkpoint.open(path)
        packed_path = shards / "packed.safetensors.out"
        report = quantize(source, packed_path, formats.lookup("rq4"), measure=True, progress=False)
        assert set(report.errors) == set(source.linear_layers())
        assert report.mean_error < 0.02
        assert report.archive_bytes == packed_path.stat().st_size
        packed = archive.open(packed_path)
        assert set(packed) == set(source)
        assert set(packed.weights) == set(source.linear_layers())
        for name in source:
            if name not in packed.weights:
                np.testing.assert_array_equal(packed[name], source.raw(name))

        plain_path = shards / "plain.safetensors.out"
        for dtype in ("F32", "F16", "BF16"):
            dequantize(packed, plain_path, dtype, progress=False)
            plain = checkpoint.open(plain_path)
            for name in source:
                assert plain.shape(name) == source.shape(name)
                if name in packed.weights:
                    assert plain.dtype(name) == dtype
                    np.testing.assert_allclose(
                        plain.float32(name), packed.float32(name), rtol=1e-2, atol=1e-3
                    )
                else:
                    np.testing.assert_array_equal(plain.raw(name), source.raw(name))


@pytest.mark.parametrize(
    ("dtype", "array", "words"),
    [
        ("I32", np.ones((4, 32), np.int32), "but got I32"),
        ("F8_E4M3", np.ones((4, 32), ml_dtypes.float8_e4m3fn), "but got F8_E4M3"),
        ("F32", np.ones((0, 32), np.float32), r"but got shape \(0, 32\)"),
    ],
)
def test_refuses_what_are_no_weights(tmp_path, dtype, array, words):
    name = LAYER + "mlp.up_proj.weight"
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {name: tensor(array, dtype)})
    with pytest.raises(RotqError, match=rf"{name}': expected .* {words}"):
        quantize(checkpoint.open(path), tmp_path / "out.safetensors", formats.lookup("rq3"))
    assert list(tmp_path.iterdir()) == [path]


def test_not_finite_names_the_tensor(tmp_path):
    weight = np.ones((2, 64), np.float32)
    weight[1, 5] = np.nan
    name = LAYER + "mlp.up_proj.weight"
    path = write_safetensors(tmp_path / "m.safetensors", {name: tensor(weight, "F32")})
    out = tmp_path / "out.safetensors"
    with pytest.raises(RotqError, match=f"m.safetensors: tensor '{name}'"):
        quantize(checkpoint.open(path), out, formats.lookup("rq3"), progress=False)
    assert not out.exists()
