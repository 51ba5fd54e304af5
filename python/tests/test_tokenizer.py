# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json
import shutil

import gguf
import numpy as np
import pytest
from conftest import FIXTURES

from rotq import RotqError, tokenizer

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
TEXTS = ("", "a", "Zürich 🙂 日本", "two  spaces,\n\ttab", "e\u0301 = é", "x <end> y")


def written(tmp_path, source):
    (tmp_path / tokenizer.FILE).write_text(tokenizer.from_source(source), encoding="utf-8")
    return tokenizer.load(tmp_path)


def write_gguf(path, tokens, kinds, **fields):
    """A GGUF file of a tokenizer and a tensor."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("tokenizer.ggml.tokens", tokens)
    writer.add_array("tokenizer.ggml.token_type", kinds)
    for key, value in fields.items():
        add = {int: writer.add_uint32, bool: writer.add_bool, str: writer.add_string}
        add.get(type(value), writer.add_array)(f"tokenizer.ggml.{key}", value)
    writer.add_tensor("a", np.ones(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def byte_level(path, **fields):
    """A tokenizer of bytes, "ab", and two special tokens."""
    given = json.loads((FIXTURES / "llama3" / tokenizer.FILE).read_text())["model"]["vocab"]
    tokens = [*sorted(given, key=given.get)[:256], "ab", "1", "<begin>", "<user>"]
    kinds = [NORMAL] * 258 + [CONTROL, USER_DEFINED]
    fields = {"model": "gpt2", "pre": "gpt-2", "merges": ["a b"], "bos_token_id": 258} | fields
    return write_gguf(path, tokens, kinds, **fields)


def sentence_piece(path, **fields):
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    kinds = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256
    scores = [0.0] * len(pieces)
    # Merged in the order of the scores: "ab" before "bc".
    for score, piece in enumerate(("ab", "bc", "\u2581ab", "a", "b", "c", "\u2581")):
        pieces.append(piece)
        kinds.append(NORMAL)
        scores.append(-float(score + 1))
    fields = {"model": "llama", "scores": scores, "bos_token_id": 1, "eos_token_id": 2} | fields
    return write_gguf(path, pieces, kinds, **fields)


def test_smollm2_tokenizes_as_transformers_does(tmp_path, smollm2):
    tokens = written(tmp_path, smollm2)
    expected = np.load(FIXTURES / "smollm2" / "reference.npz")
    for text, row, length in zip(expected["texts"], expected["tokens"], expected["lengths"]):
        assert tokens.encode(str(text)) == row[:length].tolist()
        if "<|im_" not in str(text):
            assert tokens.decode(row[:length].tolist()) == str(text)


def test_a_directory_gives_its_file(tmp_path):
    tokens = written(tmp_path, FIXTURES / "llama3")
    assert tokenizer.begin(tmp_path / tokenizer.FILE) == 256
    for text in TEXTS[:5]:
        assert tokens.encode(text)[0] == 256
        assert tokens.decode(tokens.encode(text)) == text
    assert 257 in tokens.encode("x <end> y")


@pytest.mark.parametrize("rule", ["gpt-2", "smollm", "llama-bpe", "qwen2"])
def test_byte_level_gguf(tmp_path, rule):
    tokens = written(tmp_path, byte_level(tmp_path / "model.gguf", pre=rule))
    for text in TEXTS:
        encoded = tokens.encode(text)
        assert (encoded[:1] == [258]) == (rule == "llama-bpe")
        normal = text.replace("e\u0301", "é") if rule == "qwen2" else text
        assert tokens.decode(encoded) == normal
    assert 256 in tokens.encode("ab") and 259 in tokens.encode("a<user>b")


def test_gguf_says_what_surrounds_a_text(tmp_path):
    path = byte_level(tmp_path / "a.gguf", add_bos_token=True, add_eos_token=True, eos_token_id=259)
    encoded = written(tmp_path, path).encode("ab")
    assert encoded == [258, 256, 259]
    path = sentence_piece(tmp_path / "b.gguf", add_bos_token=False)
    assert written(tmp_path, path).encode("") == []


def test_sentence_piece_gguf(tmp_path):
    tokens = written(tmp_path, sentence_piece(tmp_path / "model.gguf"))
    pieces = {"ab": 259, "bc": 260, "\u2581ab": 261, "c": 264, "\u2581": 265}
    assert tokens.encode("abc") == [1, pieces["\u2581ab"], pieces["c"]]
    assert tokens.encode("bcab") == [1, pieces["\u2581"], pieces["bc"], pieces["ab"]]
    assert tokens.encode("é")[2:] == [3 + byte for byte in "é".encode()]
    for text in ("abc ab", " abc", "é🙂", "a</s>"):
        assert tokens.decode(tokens.encode(text)) == text.replace("</s>", "")
    without = sentence_piece(tmp_path / "model.gguf", add_space_prefix=False)
    assert written(tmp_path, without).encode("ab") == [1, pieces["ab"]]


@pytest.mark.parametrize("build", [byte_level, sentence_piece])
def test_streams_give_whole_characters(tmp_path, build):
    tokens = written(tmp_path, build(tmp_path / "model.gguf"))
    for text in ("ab ab\n", "Zürich 🙂 日本", "🙂🙂"):
        stream = tokens.stream()
        parts = [stream.push(token) for token in tokens.encode(text)]
        assert "".join(parts) == text and stream.finish() == ""
        assert all("\ufffd" not in part for part in parts)
        # The first part of a character is kept until it is clear that no more comes.
        broken = tokens.encode(text + "🙂")[:-1]
        assert "".join(stream.push(token) for token in broken) == text
        assert set(stream.finish()) == {"\ufffd"}


def test_streams_of_any_tokens(tmp_path):
    random = np.random.default_rng(3)
    tokens = written(tmp_path, byte_level(tmp_path / "model.gguf"))
    for _ in range(50):
        drawn = random.integers(258, size=20).tolist()
        stream = tokens.stream()
        parts = [stream.push(token) for token in drawn]
        assert "".join(parts) + stream.finish() == tokens.decode(drawn)


@pytest.mark.parametrize(
    ("build", "fields", "words"),
    [
        (byte_level, {"model": "bert"}, "model 'bert' is not supported, only gpt2, llama"),
        (byte_level, {"pre": "mpt"}, "splitting as 'mpt' does is not supported, only gpt-2"),
        (byte_level, {"merges": ["a zz"]}, "tokenizer: "),
        (byte_level, {"merges": ["a"]}, "tokenizer: "),
        (byte_level, {"bos_token_id": 999, "add_bos_token": True}, "token 999 is not in the voc"),
        (sentence_piece, {"scores": [1.0]}, "expected a score for each of 266 tokens"),
        (sentence_piece, {"remove_extra_whitespaces": True}, "'remove_extra_whitespaces' is not"),
    ],
)
def test_refuses_gguf_tokenizers(tmp_path, build, fields, words):
    path = build(tmp_path / "model.gguf", **fields)
    with pytest.raises(RotqError, match=words) as error:
        tokenizer.from_source(path)
    assert str(error.value).startswith(str(path))


def test_refuses_other_vocabularies(tmp_path):
    path = write_gguf(tmp_path / "model.gguf", ["a", "b"], [1], model="gpt2")
    with pytest.raises(RotqError, match="expected a kind for each of 2 tokens"):
        tokenizer.from_source(path)


def test_refuses_what_is_no_tokenizer(tmp_path):
    with pytest.raises(RotqError, match=r"tokenizer\.json: no such file"):
        tokenizer.load(tmp_path)
    for text in ("", "{}", "[" * 10**5, '{"model": 3}'):
        (tmp_path / tokenizer.FILE).write_text(text)
        with pytest.raises(RotqError, match=r"tokenizer\.json: not a tokenizer"):
            tokenizer.load(tmp_path)
    shutil.copytree(FIXTURES / "llama3", tmp_path / "model")
    (tmp_path / "model" / tokenizer.FILE).unlink()
    with pytest.raises(RotqError, match=r"model/tokenizer\.json: no such file"):
        tokenizer.from_source(tmp_path / "model")
