# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How well a model predicts a text, alone and beside a reference.

The text is cut into windows that start `stride` tokens apart. A model reads
each window on its own, and every token of the text but the first is scored
once: in the first window that has it, behind the tokens of the window before it.
With a stride of the window's length (the default) those are the windows of
GPTQ's evaluation, whose first tokens have no context and are not scored; a
smaller stride gives every token at least window - stride tokens of context. A
model whose texts start with a token gets that one ahead of every window, in
place of its last token.

    perplexity  exp(mean of -log p(token))
    KL          mean over scored positions of sum p_ref (log p_ref - log p), in nats
    top-1       share of scored positions where both have the same best token
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from . import model_dir
from .error import RotqError
from .inference import CHUNK, Runner, Session
from .json_text import parse
from .model_dir import Model

FILE = model_dir.EVALUATIONS


def windows(tokens: int, window: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """Begin and end of every window, and the first token it scores."""
    scored = 0
    for begin in range(0, tokens, stride):
        end = min(begin + window, tokens)
        first = max(scored, begin + 1)
        if first < end:
            yield begin, end, first
        scored = end
        if end == tokens:
            return


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """In place, along the last dimension."""
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True, dtype=np.float32))
    return logits


class _Scores:
    """Sums over the positions that were scored."""

    def __init__(self):
        self.count = 0
        self.loss = self.divergence = 0.0
        self.agreements = 0

    def add(self, log_p: np.ndarray, targets: np.ndarray, reference: np.ndarray | None) -> None:
        rows = np.arange(len(targets))
        self.count += len(targets)
        self.loss -= float(log_p[rows, targets].sum(dtype=np.float64))
        if reference is not None:
            self.agreements += int((log_p.argmax(axis=1) == reference.argmax(axis=1)).sum())
            difference = reference - log_p
            difference *= np.exp(reference)
            self.divergence += float(difference.sum(axis=1).sum(dtype=np.float64))


def _read(session: Session, tokens: np.ndarray, first: int) -> Iterator[np.ndarray]:
    """Log-probabilities behind tokens[first - 1:-1] of a new text, a chunk at a
    time."""
    session.reset()
    if first > 1:
        session.prefill(tokens[: first - 1])
    for start in range(first - 1, len(tokens) - 1, CHUNK):
        piece = tokens[start : min(start + CHUNK, len(tokens) - 1)]
        yield log_softmax(session.prefill(piece, logits=len(piece)))


def read_text(path: str | os.PathLike) -> str:
    """The text in a file of UTF-8."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RotqError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None


def ahead_of_texts(description: Mapping) -> list[int]:
    """The token that starts a text of a model; none where it has no such."""
    begin = description.get("tokens", {}).get("begin")
    return [] if begin is None else [begin]


def tokens_of(model: Model, text: str, most: int | None) -> np.ndarray:
    """The first `most` tokens of a text, without the one that starts texts."""
    tokens = model.tokenizer().encode(text)
    if tokens[:1] == ahead_of_texts(model.description):
        tokens = tokens[1:]
    tokens = np.array(tokens[:most], np.int64)
    if len(tokens) < 2:
        raise RotqError(f"expected a text of at least two tokens but got {len(tokens)}")
    return tokens


def evaluate(
    runner: Runner,
    tokens: Sequence[int],
    *,
    window: int = 2048,
    stride: int | None = None,
    against: Runner | None = None,
    progress: bool = True,
) -> dict:
    """The row of evaluations.json for `tokens`; kl and top1 are None without a
    reference. The reference must have the same vocabulary."""
    stride = window if stride is None else stride
    if window < 2 or not 1 <= stride <= window:
        raise RotqError(
            f"expected a window of at least 2 tokens and a stride from 1 to it but got {window}, "
            f"{stride}"
        )
    description = runner.model.description
    if window > description["context"]:
        raise RotqError(
            f"expected a window of at most {description['context']} tokens, the context of the "
            f"model, but got {window}"
        )
    if against and against.vocabulary != runner.vocabulary:
        raise RotqError(
            f"expected a reference of {runner.vocabulary} tokens but got {against.vocabulary}"
        )
    tokens = np.asarray(tokens, np.int64)
    ahead = ahead_of_texts(description)
    session = runner.session(window)
    other = against.session(window) if against else None
    scores = _Scores()
    parts = list(windows(len(tokens), window - len(ahead), min(stride, window - len(ahead))))
    start = time.perf_counter()
    bar = tqdm(
        total=sum(end - first for _, end, first in parts),
        desc=f"eval {runner.formats_used()}",
        unit=" tokens",
        dynamic_ncols=True,
        disable=not progress,
    )
    with bar:
        for begin, end, first in parts:
            text = np.concatenate([ahead, tokens[begin:end]]).astype(np.int64)
            at = first - begin + len(ahead)
            references = _read(other, text, at) if other else None
            for log_p in _read(session, text, at):
                reference = next(references) if references else None
                scores.add(log_p, text[at : at + len(log_p)], reference)
                at += len(log_p)
                bar.update(len(log_p))
                bar.set_postfix(ppl=f"{math.exp(scores.loss / scores.count):.3f}", refresh=False)
    return {
        "model": description["architecture"],
        "format": runner.formats_used(),
        "bits": runner.bits_per_weight(),
        "ppl": math.exp(scores.loss / scores.count),
        "kl": scores.divergence / scores.count if against else None,
        "top1": scores.agreements / scores.count if against else None,
        "tokens": scores.count,
        "window": window,
        "stride": stride,
        "seconds": time.perf_counter() - start,
    }


def evaluate_file(
    runner: Runner, text: str | os.PathLike, *, most: int | None = None, **options
) -> dict:
    """`evaluate` on the first `most` tokens of a text file: the row says which
    text, and against what."""
    tokens = tokens_of(runner.model, read_text(text), most)
    row = evaluate(runner, tokens, **options)
    against = options.get("against")
    return row | {
        "text": Path(text).name,
        "against": against.formats_used() if against else None,
    }


def record(directory: str | os.PathLike, row: dict) -> None:
    """Adds a row to the evaluations.json of a model directory, in place of the
    one of the same text and windows."""
    path = Path(directory) / FILE
    rows = read(directory)
    key = ("text", "window", "stride", "tokens", "against")
    rows = [old for old in rows if any(old.get(k) != row.get(k) for k in key)]
    temporary = path.with_name(f"{FILE}.tmp{os.getpid()}")
    temporary.write_text(json.dumps([*rows, row], indent=1) + "\n")
    os.replace(temporary, path)


def read(directory: str | os.PathLike) -> list[dict]:
    """The rows of a model directory; none where it has not been evaluated."""
    path = Path(directory) / FILE
    if not path.exists():
        return []
    rows = parse(path.read_bytes(), f"{path}:")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RotqError(f"{path}: expected a list of rows")
    return rows
