# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Text from models."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .error import RotqError
from .inference import Runner


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn from logits. A temperature of 0 takes the
    most likely one; otherwise logits are divided by it, and of the most likely
    tokens as many are kept as have `top_p` of the probability together."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self):
        if not self.temperature >= 0:
            raise RotqError(f"expected a temperature of 0 or more but got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise RotqError(f"expected top_p above 0 and up to 1 but got {self.top_p}")

    def sampler(self):
        random = np.random.default_rng(self.seed)

        def pick(logits: np.ndarray) -> int:
            if self.temperature == 0:
                return int(logits.argmax())
            weights = np.exp((logits - logits.max()).astype(np.float64) / self.temperature)
            order = np.argsort(-weights, kind="stable")
            shares = np.cumsum(weights[order])
            kept = int(np.searchsorted(shares, self.top_p * shares[-1])) + 1
            draw = random.random() * shares[kept - 1]
            return int(order[np.searchsorted(shares[:kept], draw, side="right")])

        return pick


@dataclass
class Speed:
    """What a generation took; times in seconds."""

    prompt_tokens: int = 0
    prefill: float = 0.0
    tokens: int = 0
    decode: float = 0.0

    def __str__(self) -> str:
        parts = [f"prefill {self.prompt_tokens} tokens, {self.prompt_tokens / self.prefill:.1f}/s"]
        if self.tokens:
            parts.append(f"decode {self.tokens} tokens, {self.tokens / self.decode:.1f}/s")
        return "; ".join(parts)


def generate(
    runner: Runner, prompt: str, *, most: int, sampling: Sampling, speed: Speed
) -> Iterator[str]:
    """The text that follows `prompt`, piece by piece: at most `most` tokens,
    ended by a token that ends texts. Fills in `speed`."""
    tokenizer = runner.model.tokenizer()
    ends = set(runner.model.description.get("tokens", {}).get("end", ()))
    prompt_tokens = tokenizer.encode(prompt)
    if not prompt_tokens:
        raise RotqError("expected a prompt of at least one token")
    if most < 1:
        raise RotqError(f"expected to generate at least one token but got {most}")
    context = runner.model.description["context"]
    if len(prompt_tokens) + most > context:
        raise RotqError(
            f"expected a prompt and a continuation of at most {context} tokens, the context of "
            f"the model, but got {len(prompt_tokens)} + {most}"
        )
    session = runner.session(len(prompt_tokens) + most)
    pick, stream = sampling.sampler(), tokenizer.stream()
    start = time.perf_counter()
    logits = session.prefill(prompt_tokens)[0]
    speed.prompt_tokens, speed.prefill = len(prompt_tokens), time.perf_counter() - start
    for index in range(most):
        token = pick(logits)
        if token in ends:
            break
        yield stream.push(token)
        if index + 1 < most:
            start = time.perf_counter()
            logits = session.decode(token)
            speed.decode += time.perf_counter() - start
            speed.tokens += 1
    yield stream.finish()
