# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import numpy as np
import pytest

from rotq import inference
from rotq.cli import main
from rotq.generate import Sampling, Speed, generate


@pytest.fixture
def model(models):
    return models("llama3")


def test_greedy_text_is_that_of_the_tokens(model):
    runner = inference.Runner(model)
    tokenizer = runner.model.tokenizer()
    tokens = tokenizer.encode("some text")
    session = runner.session(64)
    logits, expected = session.prefill(tokens)[0], []
    for _ in range(12):
        expected.append(int(logits.argmax()))
        logits = session.decode(expected[-1])
    assert not set(expected) & set(runner.model.description["tokens"]["end"])
    speed = Speed()
    pieces = list(generate(runner, "some text", most=12, sampling=Sampling(), speed=speed))
    assert "".join(pieces) == tokenizer.decode(expected)
    assert speed.prompt_tokens == len(tokens) and speed.tokens == 11
    assert "prefill" in str(speed) and "decode 11 tokens" in str(speed)


def test_a_token_that_ends_texts_ends_the_text(model):
    runner = inference.Runner(model)
    session = runner.session(64)
    first = int(session.prefill(runner.model.tokenizer().encode("a"))[0].argmax())
    runner.model.description["tokens"]["end"] = [first]
    assert "".join(generate(runner, "a", most=9, sampling=Sampling(), speed=Speed())) == ""


def test_sampling():
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    draws = 4000

    def shares(**options):
        pick = Sampling(seed=1, **options).sampler()
        return np.bincount([pick(logits) for _ in range(draws)], minlength=4) / draws

    np.testing.assert_allclose(shares(temperature=1.0), [0.5, 0.3, 0.15, 0.05], atol=0.03)
    np.testing.assert_allclose(shares(temperature=1.0, top_p=0.7), [0.625, 0.375, 0, 0], atol=0.03)
    np.testing.assert_array_equal(shares(temperature=1.0, top_p=0.1), [1, 0, 0, 0])
    np.testing.assert_array_equal(shares(temperature=0.0), [1, 0, 0, 0])
    sharp = np.array([0.5, 0.3, 0.15, 0.05]) ** 2
    np.testing.assert_allclose(shares(temperature=0.5), sharp / sharp.sum(), atol=0.03)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["-p", ""], "at least one token"),
        (["-p", "a", "--tokens", "0"], "at least one token but got 0"),
        (["-p", "a", "--tokens", "100000"], "the context of the model"),
        (["-p", "a", "--temperature", "-1"], "temperature of 0 or more"),
        (["-p", "a", "--temperature", "nan"], "temperature of 0 or more"),
        (["-p", "a", "--top-p", "0"], "top_p above 0"),
    ],
)
def test_what_is_refused(model, monkeypatch, capsys, arguments, words):
    if "" in arguments:
        monkeypatch.setattr("rotq.tokenizer.Tokenizer.encode", lambda self, text: [])
    assert main(["generate", str(model), *arguments]) == 1
    error = capsys.readouterr().err
    assert words in error and error.startswith("error: ") and error.count("\n") == 1


def test_the_command(model, capsys):
    assert main(["generate", str(model), "-p", "some text", "--tokens", "4"]) == 0
    out, error = capsys.readouterr()
    assert out.startswith("some text") and "tokens, " in error
