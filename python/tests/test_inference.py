# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_MODELS, assert_close, prompts, reference

from rotq import RotqError, demo, inference


def continuation(session, prompt, steps):
    """Greedy decoding."""
    session.reset()
    logits, tokens = session.prefill(prompt)[0], []
    for _ in range(steps):
        tokens.append(int(logits.argmax()))
        logits = session.decode(tokens[-1])
    return tokens


@pytest.mark.parametrize("name", TINY_MODELS)
def test_tiny_models_compute_what_transformers_computes(models, name):
    runner = inference.Runner(models(name))
    session, expected = runner.session(128), reference(name)
    tokens = prompts(expected)
    last = []
    for prompt in tokens:
        session.reset()
        last.append(session.prefill(prompt)[0])
    assert_close(np.stack(last), expected["last"])
    every = []
    for index in expected["every_of"]:
        session.reset()
        every.append(session.prefill(tokens[index], logits=len(tokens[index])))
    assert_close(np.concatenate(every), expected["every"])
    for index, wanted in zip(expected["greedy_of"], expected["greedy"]):
        assert continuation(session, tokens[index], len(wanted)) == list(wanted)


def test_smollm2_computes_what_transformers_computes(models, smollm2):
    runner = inference.Runner(models(demo._model()))
    session, expected = runner.session(256), reference("smollm2")
    tokenizer = runner.model.tokenizer()
    tokens = prompts(expected)
    assert [tokenizer.encode(str(text)) for text in expected["texts"]] == [
        list(prompt) for prompt in tokens
    ]
    for prompt, last, best in zip(tokens, expected["last"], expected["best"]):
        session.reset()
        logits = session.prefill(prompt)[0]
        assert_close(logits[expected["entries"]], last)
        assert logits.argmax() == best
    for index, wanted in zip(expected["greedy_of"], expected["greedy"]):
        assert continuation(session, tokens[index], len(wanted)) == list(wanted)


def test_texts_leave_nothing_in_memory(models):
    """What a row of attention is computed in was kept: the numbers of its heads for
    all positions, 4 KB here, of every row and layer."""
    session = inference.Runner(models("llama3")).session(256)

    def resident():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def run(times):
        for _ in range(times):
            session.reset()
            session.prefill(np.arange(255) % 250)
            session.decode(1)
        return resident()

    before = run(2)
    assert run(20) - before < 8 << 20


@pytest.mark.parametrize("name", ["gemma3", "llama3"])
def test_a_text_in_pieces_is_the_text(models, name, monkeypatch):
    runner = inference.Runner(models(name))
    tokens = np.random.default_rng(0).integers(0, 250, 40)
    whole = runner.session(40).prefill(tokens, logits=40)
    for sizes in ((1,) * 40, (7, 1, 32), (39, 1)):
        session, parts, at = runner.session(64), [], 0
        for size in sizes:
            piece = tokens[at : at + size]
            one = size == 1 and at
            parts.append(
                session.decode(piece[0])[None] if one else session.prefill(piece, logits=size)
            )
            at += size
        assert session.position == 40
        assert_close(np.concatenate(parts), whole)
    monkeypatch.setattr(inference, "CHUNK", 6)
    for logits in (1, 4, 5, 40):
        assert_close(runner.session(40).prefill(tokens, logits=logits), whole[-logits:])


def test_what_a_session_refuses(models):
    session = inference.Runner(models("llama3")).session(4)
    with pytest.raises(RotqError, match="at least one token"):
        session.prefill([])
    with pytest.raises(RotqError, match="at most 4 tokens in this session but got 5"):
        session.prefill([1] * 5)
    with pytest.raises(RotqError, match="tokens below 288 but got 288"):
        session.prefill([1, 288])
    with pytest.raises(RotqError, match="tokens below 288 but got -1"):
        session.decode(-1)
    with pytest.raises(RotqError, match="from 1 to 2 rows of logits but got 3"):
        session.prefill([1, 2], logits=3)
    assert session.position == 0
    session.prefill([1, 2, 3, 4])
    with pytest.raises(RotqError, match="at most 4 tokens"):
        session.decode(1)
