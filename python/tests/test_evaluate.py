# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json

import numpy as np
import pytest
from reference_decoder import ReferenceDecoder

from rotq import RotqError, evaluate, formats, inference, model_dir
from rotq.cli import main
from rotq.quantize import quantize_model

TEXT = "".join(chr(97 + i * i % 26) for i in range(90))


@pytest.fixture(scope="module")
def pair(models, tmp_path_factory):
    """A model and the same one packed."""
    plain, packed = models("qwen3"), tmp_path_factory.mktemp("evaluate") / "packed"
    model = model_dir.open_model(plain)
    quantize_model(model, packed, formats.lookup("rq4"), progress=False)
    return plain, packed


def test_windows():
    assert list(evaluate.windows(10, 4, 4)) == [(0, 4, 1), (4, 8, 5), (8, 10, 9)]
    assert list(evaluate.windows(10, 4, 2)) == [(0, 4, 1), (2, 6, 4), (4, 8, 6), (6, 10, 8)]
    assert list(evaluate.windows(9, 4, 4)) == [(0, 4, 1), (4, 8, 5)]
    assert list(evaluate.windows(3, 8, 8)) == [(0, 3, 1)]
    # With a smaller stride every token but the first is scored once.
    for stride in range(1, 7):
        scored = [i for _, end, first in evaluate.windows(41, 7, stride) for i in range(first, end)]
        assert scored == list(range(1, 41))


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("window, stride", [(16, 16), (16, 5), (64, 64)])
def test_numbers_are_those_of_the_formulas(pair, monkeypatch, window, stride):
    monkeypatch.setattr(evaluate, "CHUNK", 6)
    plain, packed = map(inference.Runner, pair)
    tokens = evaluate.tokens_of(plain.model, TEXT, None)
    begin = plain.model.description["tokens"].get("begin")
    row = evaluate.evaluate(
        packed, tokens, window=window, stride=stride, against=plain, progress=False
    )

    reference = ReferenceDecoder(plain.model.description, plain.model.weights)
    weights = {
        name: packed.model.weights[name].decode()
        if name in packed.formats
        else np.asarray(packed.model.weights[name], np.float32)
        for name in packed.model.weights
    }
    decoded = type("Weights", (), {"float32": staticmethod(weights.__getitem__)})
    candidate = ReferenceDecoder(packed.model.description, decoded)
    ahead = [] if begin is None else [begin]
    length = window - len(ahead)
    loss, divergence, count = 0.0, 0.0, 0
    for start, end, first in evaluate.windows(len(tokens), length, min(stride, length)):
        text = np.concatenate([ahead, tokens[start:end]]).astype(int)
        at = first - start + len(ahead)
        p = log_softmax(reference.logits(text))[at - 1 : -1]
        q = log_softmax(candidate.logits(text))[at - 1 : -1]
        loss -= q[np.arange(len(q)), text[at:]].sum()
        divergence += (np.exp(p) * (p - q)).sum()
        count += len(q)
    assert row["tokens"] == count
    # Compiled code rounds activations to int8.
    assert np.log(row["ppl"]) == pytest.approx(loss / count, rel=0.03)
    assert row["kl"] == pytest.approx(divergence / count, rel=0.3)
    assert row["format"] == "rq4" and 0 < row["top1"] <= 1


def test_a_model_beside_itself(pair):
    runner = inference.Runner(pair[0])
    tokens = evaluate.tokens_of(runner.model, TEXT, 40)
    assert len(tokens) == 40
    row = evaluate.evaluate(runner, tokens, window=16, against=runner, progress=False)
    assert row["kl"] == pytest.approx(0, abs=1e-7) and row["top1"] == 1.0
    alone = evaluate.evaluate(runner, tokens, window=16, progress=False)
    assert alone["ppl"] == pytest.approx(row["ppl"]) and alone["kl"] is alone["top1"] is None


def test_the_command_keeps_its_rows(pair, tmp_path, capsys):
    plain, packed = map(str, pair)
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    command = ["eval", packed, "--text", str(text), "--window", "16"]
    assert main([*command, "--against", plain]) == 0
    out = capsys.readouterr().out
    assert "perplexity" in out and "KL divergence" in out
    assert main([*command, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert main([*command, "--json"]) == 0
    rows = evaluate.read(packed)
    assert [r["against"] for r in rows] == ["bf16", None]
    assert rows[1]["ppl"] == pytest.approx(row["ppl"])
    assert {"model", "format", "bits", "ppl", "kl", "top1", "tokens", "window"} <= set(row)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"window": 1}, "at least 2 tokens"),
        ({"window": 8, "stride": 9}, "a stride from 1"),
        ({"window": 1 << 20}, "the context of the model"),
    ],
)
def test_what_is_refused(pair, options, words):
    runner = inference.Runner(pair[0])
    with pytest.raises(RotqError, match=words):
        evaluate.evaluate(runner, [1, 2, 3], progress=False, **options)


def test_rows_that_are_none(tmp_path):
    assert evaluate.read(tmp_path) == []
    for text, words in (
        ("{", "not JSON"),
        (100000 * "[", "not JSON"),
        ("{}", "a list of rows"),
        ("[1]", "a list of rows"),
    ):
        (tmp_path / "evaluations.json").write_text(text)
        with pytest.raises(RotqError, match=words):
            evaluate.read(tmp_path)
