# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import copy
import json
import shutil

import gguf
import numpy as np
import pytest
from conftest import FIXTURES, TINY_MODELS, assert_close, prompts, reference
from reference_decoder import ReferenceDecoder
from safetensors.numpy import load_file, save_file

from rotq import RotqError, checkpoint, decoder, description


def assert_greedy(run, expected, continuations):
    """Every token is the best one after those before it."""
    tokens = prompts(expected)
    for index, continuation in list(zip(expected["greedy_of"], expected["greedy"]))[:continuations]:
        logits = run.logits(np.concatenate([tokens[index], continuation]))
        best = logits.argmax(axis=1)[len(tokens[index]) - 1 : -1]
        np.testing.assert_array_equal(best, continuation)


@pytest.mark.parametrize("name", TINY_MODELS)
def test_logits_are_those_of_transformers(name):
    weights = checkpoint.open(FIXTURES / name)
    run = ReferenceDecoder(decoder.describe(weights), weights)
    expected = reference(name)
    tokens = prompts(expected)
    assert_close(np.stack([run.logits(prompt)[-1] for prompt in tokens]), expected["last"])
    every = [run.logits(tokens[index]) for index in expected["every_of"]]
    assert_close(np.concatenate(every), expected["every"])
    assert_greedy(run, expected, 10)


def test_smollm2_is_that_of_transformers(smollm2):
    described = decoder.describe(smollm2)
    assert described["rotary"][0]["interleaved"] and described["tokens"] == {"end": [2]}
    run = ReferenceDecoder(described, smollm2)
    expected = reference("smollm2")
    for index in range(0, 64, 8):
        logits = run.logits(prompts(expected)[index])[-1]
        assert_close(logits[expected["entries"]], expected["last"][index])
        assert logits.argmax() == expected["best"][index]
    assert_greedy(run, expected, 2)


def test_what_descriptions_contain():
    gemma = decoder.describe(FIXTURES / "gemma3")
    assert [layer.get("window") for layer in gemma["layers"]] == [12, None, 12, None]
    assert [layer["rotary"] for layer in gemma["layers"]] == [0, 1, 0, 1]
    assert gemma["attention"] == {"heads": 4, "kv_heads": 2, "head_size": 32, "scale": 24**-0.5}
    assert gemma["norm"]["offset"] == 1.0 and gemma["embedding"]["scale"] == 8.0
    assert gemma["mlp"]["activation"] == "gelu_tanh"
    assert gemma["head"] == {"weight": gemma["embedding"]["weight"]}
    llama = decoder.describe(FIXTURES / "llama3")
    assert llama["head"] == {"weight": "lm_head.weight"} and len(llama["rotary"]) == 1
    assert llama["tokens"] == {"begin": 256, "end": [257]}
    smollm = decoder.describe(FIXTURES / "smollm3")
    assert ["rotary" in layer for layer in smollm["layers"]] == [True, False]
    qwen = decoder.describe(FIXTURES / "qwen2")
    assert qwen["layers"][1]["k"]["bias"] == "model.layers.1.self_attn.k_proj.bias"
    assert qwen["rotary"][0]["factor"] == pytest.approx(0.1 * np.log(4) + 1)


@pytest.fixture
def model(tmp_path):
    """A function that copies a fixture, with changes to its config.json."""

    def copied(name, **changes):
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(FIXTURES / name, folder)
        config = json.loads((FIXTURES / name / "config.json").read_text()) | changes
        config = {key: value for key, value in config.items() if value != "absent"}
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    return copied


OLD_LLAMA3 = {
    "type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("llama3", {"rope_theta": 500000.0, "rope_scaling": OLD_LLAMA3}),
        ("qwen3", {"rope_theta": 1e6, "rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
        ("mistral", {"rope_theta": 10000.0, "rope_scaling": None}),
        ("mistral", {}),
        ("gemma3", {"rope_theta": 1e6, "rope_local_base_freq": 1e4, "layer_types": "absent"}),
    ],
)
def test_older_files_say_the_same(model, name, changes):
    if name == "gemma3":
        changes = changes | {"sliding_window_pattern": 2, "tie_word_embeddings": "absent"}
    expected = decoder.describe(FIXTURES / name)
    assert decoder.describe(model(name, rope_parameters="absent", **changes)) == expected


def test_windows_of_upper_layers(model):
    changes = {"use_sliding_window": True, "sliding_window": 7}
    folder = model("qwen2", **changes, layer_types="absent", max_window_layers=1)
    assert [layer.get("window") for layer in decoder.describe(folder)["layers"]] == [None, 7]
    folder = model("qwen2", **changes, layer_types=["sliding_attention", "full_attention"])
    assert [layer.get("window") for layer in decoder.describe(folder)["layers"]] == [7, None]


def test_a_copy_of_a_tied_head_is_ignored(model):
    folder = model("qwen2")
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(8, np.float32)
    save_file(tensors, folder / "model.safetensors")
    assert decoder.describe(folder) == decoder.describe(FIXTURES / "qwen2")


def test_ends_of_the_generation_config_count(model):
    folder = model("llama3", eos_token_id=[3, 257])
    (folder / "generation_config.json").write_text('{"eos_token_id": [9, 3]}')
    assert decoder.describe(folder)["tokens"]["end"] == [3, 9, 257]


def test_a_directory_without_a_tokenizer(model):
    folder = model("llama3")
    (folder / "tokenizer.json").unlink()
    assert decoder.describe(folder)["tokens"] == {"end": [257]}


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        (
            "llama3",
            {"model_type": "mixtral"},
            "architecture 'mixtral' is not supported, only llama",
        ),
        ("llama3", {"model_type": ["llama"]}, "'model_type': expected a string"),
        ("llama3", {"hidden_act": "relu"}, "activation 'relu' is not supported"),
        ("llama3", {"quantization_config": {}}, "'quantization_config': is not supported"),
        ("gemma3", {"final_logit_softcapping": 30.0}, "'final_logit_softcapping': is not supp"),
        ("gemma3", {"layer_types": ["chunked"] * 4}, "'layer_types': 'chunked' is not supported"),
        ("gemma3", {"layer_types": []}, "'layer_types': expected a list of 4 entries"),
        ("gemma3", {"query_pre_attn_scalar": "absent"}, "no 'query_pre_attn_scalar'"),
        ("llama3", {"hidden_size": "absent"}, "no 'hidden_size'"),
        ("llama3", {"hidden_size": -64}, "'hidden_size': expected a whole number from 1"),
        ("llama3", {"hidden_size": 64.0}, "'hidden_size': expected a whole number from 1"),
        ("llama3", {"hidden_size": 128}, r"tensor '.*': expected shape \(288, 128\) but got"),
        ("llama3", {"num_hidden_layers": 10**9}, "'num_hidden_layers': expected a whole number"),
        ("llama3", {"num_hidden_layers": 4}, r"no tensor 'model\.layers\.3\."),
        (
            "llama3",
            {"num_hidden_layers": 2},
            r"tensor 'model\.layers\.2\..*' \(and 8 more\) is not",
        ),
        ("llama3", {"num_key_value_heads": 3}, "tensor .* expected shape"),
        ("llama3", {"rms_norm_eps": float("nan")}, "'rms_norm_eps': expected a positive number"),
        ("llama3", {"tie_word_embeddings": 1}, "'tie_word_embeddings': expected true or false"),
        (
            "llama3",
            {"attention_bias": True},
            r"no tensor 'model\.layers\.0\.self_attn\.q_proj\.bias",
        ),
        ("llama3", {"eos_token_id": 288}, "'eos_token_id': expected tokens below 288"),
        (
            "llama3",
            {"rope_parameters": {"rope_theta": 0}},
            "'rope_parameters.rope_theta': expected",
        ),
        ("llama3", {"rope_parameters": []}, "'rope_parameters': expected an object"),
        ("llama3", {"rope_parameters": {"rope_type": "dynamic"}}, "rope type 'dynamic' is not"),
        (
            "llama3",
            {"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}},
            "'rope_parameters.partial_rotary_factor': is not supported",
        ),
        (
            "qwen2",
            {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "mscale": 1.0}},
            "'rope_parameters.mscale': is not supported",
        ),
    ],
)
def test_refuses_what_a_description_cannot_say(model, name, changes, words):
    with pytest.raises(RotqError, match=words) as error:
        decoder.describe(model(name, **changes))
    assert str(error.value).startswith(str(model(name)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("model.norm.weight"), r"no tensor 'model\.norm\.weight'"),
        (
            lambda t: t.update({"model.layers.0.mlp.up_proj.bias": np.ones(96, np.float32)}),
            r"tensor 'model\.layers\.0\.mlp\.up_proj\.bias' is not of a supported decoder",
        ),
        (
            lambda t: t.update({"model.norm.weight": np.ones(63, np.float32)}),
            r"tensor 'model\.norm\.weight': expected shape \(64,\) but got \(63,\)",
        ),
        (
            lambda t: t.update({"model.norm.weight": np.ones(64, np.int32)}),
            r"tensor 'model\.norm\.weight': expected floats but got I32",
        ),
    ],
)
def test_refuses_other_tensors(model, change, words):
    folder = model("llama3")
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(RotqError, match=words):
        decoder.describe(folder)


def test_refuses_what_is_no_model(model, tmp_path):
    folder = model("llama3")
    with pytest.raises(RotqError, match="expected a GGUF file, or a directory"):
        decoder.describe(folder / "model.safetensors")
    for text, words in (("{", "not JSON"), ("[]", "not a JSON object"), ("[" * 10**5, "not JSON")):
        (folder / "config.json").write_text(text)
        with pytest.raises(RotqError, match=f"config.json: {words}"):
            decoder.describe(folder)
    (folder / "config.json").unlink()
    with pytest.raises(RotqError, match="config.json: no such file"):
        decoder.describe(folder)
    with pytest.raises(RotqError, match="none"):
        decoder.describe(tmp_path / "none")


#: What llama.cpp's converter calls the architectures of the fixtures, with what
#: it writes beyond the sizes.
GGUF_MODELS = {
    "llama3": ("llama", {}),
    "qwen2": (
        "qwen2",
        {
            "rope.scaling.type": "yarn",
            "rope.scaling.factor": 4.0,
            "rope.scaling.original_context_length": 64,
        },
    ),
    "qwen3": ("qwen3", {"rope.scaling.type": "linear", "rope.scaling.factor": 2.0}),
    "gemma3": (
        "gemma3",
        {"attention.sliding_window": 12, "attention.sliding_window_pattern": 2},
    ),
}


def write_gguf(path, name, extra=None, tensors=None):
    """A fixture as llama.cpp's converter writes it."""
    source = checkpoint.open(FIXTURES / name)
    described = decoder.describe(source)
    architecture, more = GGUF_MODELS[name]
    attention = described["attention"]
    rope = json.loads((FIXTURES / name / "config.json").read_text())["rope_parameters"]
    values = {
        "context_length": described["context"],
        "embedding_length": described["hidden"],
        "block_count": len(described["layers"]),
        "feed_forward_length": described["mlp"]["size"],
        "attention.head_count": attention["heads"],
        "attention.head_count_kv": attention["kv_heads"],
        "attention.key_length": attention["head_size"],
        "attention.value_length": attention["head_size"],
        "attention.layer_norm_rms_epsilon": described["norm"]["epsilon"],
        "rope.freq_base": rope.get("full_attention", rope)["rope_theta"],
    } | more
    values = {f"{architecture}.{key}": value for key, value in values.items()}
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in (values | {"tokenizer.ggml.eos_token_id": 257} | (extra or {})).items():
        add = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        add.get(type(value), writer.add_array)(key, value)
    names = decoder._HF_GEMMA_NAMES if name == "gemma3" else decoder._HF_NAMES
    stored = {}
    for part, hf in names.items():
        for index in range(len(described["layers"]) if "{}" in hf else 1):
            for hf_name, gguf_name in (
                (hf.format(index), decoder._GGUF_NAMES[part].format(index)),
                (
                    decoder._bias(hf.format(index)),
                    decoder._bias(decoder._GGUF_NAMES[part]).format(index),
                ),
            ):
                if hf_name not in source:
                    continue
                data = source.float32(hf_name)
                if "norm" in part:
                    data = data + np.float32(described["norm"]["offset"])
                if architecture == "llama" and part in "qk":
                    halves = data.reshape(-1, 2, attention["head_size"] // 2, *data.shape[1:])
                    data = halves.swapaxes(1, 2).reshape(data.shape)
                stored[gguf_name] = data
    if architecture == "llama":
        size, base = attention["head_size"], np.float32(rope["rope_theta"])
        plain = 1 / base ** (np.arange(0, size, 2, dtype=np.float32) / np.float32(size))
        scaled = np.array(described["rotary"][0]["frequencies"], np.float32)
        stored["rope_freqs.weight"] = plain / scaled
    for gguf_name, data in (stored | (tensors or {})).items():
        writer.add_tensor(gguf_name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("name", GGUF_MODELS)
def test_gguf_files_are_the_same_model(name, tmp_path):
    weights = checkpoint.open(write_gguf(tmp_path / "model.gguf", name))
    described = decoder.describe(weights)
    assert all(rotary["interleaved"] == (name == "llama3") for rotary in described["rotary"])
    assert described["norm"]["offset"] == 0.0 and described["tokens"] == {"end": [257]}
    if name == "gemma3":
        # A GGUF file cannot say it; llama.cpp takes the size of a head.
        assert described["attention"]["scale"] == 32**-0.5
        described["attention"]["scale"] = 24**-0.5
    run = ReferenceDecoder(described, weights)
    expected = reference(name)
    tokens = prompts(expected)
    every = [run.logits(tokens[index]) for index in expected["every_of"]]
    assert_close(np.concatenate(every), expected["every"])


@pytest.mark.parametrize(
    ("name", "extra", "tensors", "words"),
    [
        ("llama3", {"llama.expert_count": 8}, {}, "'llama.expert_count': is not supported"),
        ("llama3", {"llama.rope.dimension_count": 8}, {}, "expected 16, the size of a head"),
        ("llama3", {"llama.rope.scaling.type": "longrope"}, {}, "rope type 'longrope' is not"),
        ("qwen3", {}, {"blk.0.attn_sinks": np.ones(4, np.float32)}, "'blk.0.attn_sinks' is not"),
        (
            "llama3",
            {},
            {"rope_freqs.weight": np.ones(3, np.float32)},
            r"'rope_freqs.weight': expected shape \(8,\)",
        ),
        (
            "llama3",
            {},
            {"rope_freqs.weight": np.zeros(8, np.float32)},
            "frequencies are not finite",
        ),
    ],
)
def test_refuses_gguf_files(name, extra, tensors, words, tmp_path):
    path = write_gguf(tmp_path / "model.gguf", name, extra, tensors)
    with pytest.raises(RotqError, match=words) as error:
        decoder.describe(path)
    assert str(error.value).startswith(str(path))


def test_refuses_other_gguf_architectures(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "mamba")
    writer.add_tensor("token_embd.weight", np.ones((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(RotqError, match="architecture 'mamba' is not supported, only llama"):
        decoder.describe(tmp_path / "model.gguf")


def test_descriptions_are_read_back(tmp_path):
    path = tmp_path / "decoder.json"
    for name in TINY_MODELS:
        described = decoder.describe(FIXTURES / name)
        path.write_text(json.dumps(described))
        assert description.load(path) == described


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(version=2), "version 2, expected 1"),
        (lambda d: d.update(version=True), "'version': expected a positive number"),
        (lambda d: d.update(softcap=1.0), "'softcap' is not known"),
        (lambda d: d.pop("rotary"), "no 'rotary'"),
        (lambda d: d["norm"].update(epsilon="x"), "'norm': 'epsilon': expected a finite number"),
        (lambda d: d["norm"].update(epsilon=float("inf")), "'epsilon': expected a finite number"),
        (lambda d: d["mlp"].update(activation=[]), "'activation': expected silu or gelu_tanh"),
        (lambda d: d["layers"][1].update(rotary=1), "layer 1: no rotary embedding 1"),
        (lambda d: d["layers"][1].update(window=0), "'layers': 1: 'window': expected a positive"),
        (lambda d: d["layers"][0]["o"].update(bias="b"), "'layers': 0: 'o': 'bias' is not known"),
        (lambda d: d.update(layers={}), "'layers': expected a list"),
        (lambda d: d["layers"].insert(0, 3), "'layers': 0: expected an object"),
        (lambda d: d["rotary"][0]["frequencies"].pop(), "rotary 0: expected 8 frequencies"),
        (lambda d: d["attention"].update(kv_heads=3), "expected heads in equal groups"),
        (lambda d: d["tokens"].update(end=[288]), "token 288 is not in the vocabulary"),
        (lambda d: d.update(final_norm=d["head"]["weight"]), "is described in shapes"),
    ],
)
def test_refuses_broken_descriptions(change, words, tmp_path):
    described = copy.deepcopy(decoder.describe(FIXTURES / "llama3"))
    change(described)
    path = tmp_path / "decoder.json"
    path.write_text(json.dumps(described))
    with pytest.raises(RotqError, match=words) as error:
        description.load(path)
    assert str(error.value).startswith(str(path))
