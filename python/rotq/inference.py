# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models running on this machine's CPU: tokens in, logits out."""

from __future__ import annotations

import ctypes
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from . import host, model_dir
from .archive import Archive
from .error import RotqError
from .tensors import formats_of, mean_bits, stored

#: Tokens that run through the layers together: their attention weights take
#: heads x CHUNK x positions floats, and what lies before a chunk is skipped.
CHUNK = 256


def _keep_freed_memory() -> None:
    """glibc gives what is freed back to the kernel, which clears it before it comes
    again: a sixth of the time of a long prompt, whose layers all need as much."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        trim_threshold, mmap_threshold = -1, -3
        mallopt(trim_threshold, 1 << 30)
        mallopt(mmap_threshold, 32 << 20)


class Runner:
    """A compiled model with its weights in memory. Any number of sessions use
    it, one call at a time."""

    def __init__(self, path: str | os.PathLike, *, options: str = ""):
        """Opens the model directory `path` and compiles it where that has not
        been done before; `options` are those of rotq-to-host."""
        _keep_freed_memory()
        self.model = model_dir.open_model(path)
        self.formats = self.model.formats
        self.library = host.cached(
            self.model.module.read_text(),
            {name: format.json for name, format in self.formats.items()},
            options,
        )
        functions = [self.library["prefill"], self.library["decode"]]
        names = {a["parameter"] for f in functions for a in f.arguments if "parameter" in a}
        parameters = {name: self._parameter(name) for name in names}
        self._prefill, self._decode = (function.bind(parameters) for function in functions)
        #: Bytes of every weight in memory.
        self.parameter_bytes = {name: array.nbytes for name, array in parameters.items()}

    def _parameter(self, name: str) -> np.ndarray:
        weights = self.model.weights
        if name in self.formats:
            return weights[name].blob.view(np.int8)
        if isinstance(weights, Archive):
            return np.ascontiguousarray(weights[name], dtype=np.float32)
        return weights.float32(name)

    @property
    def weight_bytes(self) -> int:
        return sum(self.parameter_bytes.values())

    @property
    def vocabulary(self) -> int:
        return self.model.description["vocabulary"]

    def formats_used(self) -> str:
        """The formats of the weights, the most used first: "rq3+rq4"; the type
        of the floats where nothing is packed."""
        weights = self.model.weights
        if self.formats:
            return formats_of(stored(weights))
        counts: Counter[str] = Counter()
        for name in weights:
            counts[weights.dtype(name).lower()] += math.prod(weights.shape(name))
        return "+".join(kind for kind, _ in counts.most_common())

    def bits_per_weight(self) -> float:
        """Of all weights, packed or not, as they are stored."""
        return mean_bits(stored(self.model.weights))

    def session(self, capacity: int) -> Session:
        """Room for `capacity` tokens."""
        return Session(self, capacity)


def caches(description: Mapping, capacity: int) -> tuple[np.ndarray, np.ndarray]:
    """Room for the keys and values of `capacity` tokens, as docs/models.md has them."""
    sizes, layers = description["attention"], len(description["layers"])
    kv_heads, head_size = sizes["kv_heads"], sizes["head_size"]
    return (
        np.zeros((layers, kv_heads, head_size, capacity), np.float32),
        np.zeros((layers, kv_heads, capacity, head_size), np.float32),
    )


def checked(tokens: np.ndarray, vocabulary: int) -> np.ndarray:
    """Tokens as compiled code takes them. Raises RotqError where one is not in the
    vocabulary."""
    outside = (tokens < 0) | (tokens >= vocabulary)
    if outside.any():
        raise RotqError(
            f"expected tokens below {vocabulary} but got {int(tokens[outside.argmax()])}"
        )
    return tokens.astype(np.int32)


class Session:
    """One text: the tokens so far, as keys and values of every layer."""

    def __init__(self, runner: Runner, capacity: int):
        self._runner = runner
        self.capacity = capacity
        #: Tokens so far.
        self.position = 0
        self._keys, self._values = caches(runner.model.description, capacity)

    def reset(self) -> None:
        """Forgets the text."""
        self.position = 0

    def prefill(self, tokens: Sequence[int], logits: int = 1) -> np.ndarray:
        """Reads tokens. The logits behind the last `logits` of them:
        logits x vocabulary floats. `logits` is from 1 to the number of tokens."""
        tokens = self._check(tokens)
        if not 1 <= logits <= len(tokens):
            raise RotqError(f"expected from 1 to {len(tokens)} rows of logits but got {logits}")
        result = np.empty((logits, self._runner.vocabulary), np.float32)
        skipped = len(tokens) - logits
        for start in range(0, len(tokens), CHUNK):
            chunk = tokens[start : start + CHUNK]
            out = result[max(start - skipped, 0) : max(start + len(chunk) - skipped, 0)]
            if not len(out):
                # The function computes one row at least: this one is overwritten.
                out = result[:1]
            self._runner._prefill(chunk, self.position, self._keys, self._values, out)
            self.position += len(chunk)
        return result

    def decode(self, token: int) -> np.ndarray:
        """Reads one token; the logits behind it: vocabulary floats."""
        tokens = self._check([token])
        out = np.empty((1, self._runner.vocabulary), np.float32)
        self._runner._decode(tokens, self.position, self._keys, self._values, out)
        self.position += 1
        return out[0]

    def _check(self, tokens: Sequence[int]) -> np.ndarray:
        array = np.asarray(tokens, np.int64)
        if array.ndim != 1 or not len(array):
            raise RotqError("expected at least one token")
        if len(array) > self.capacity - self.position:
            raise RotqError(
                f"expected at most {self.capacity} tokens in this session but got "
                f"{self.position + len(array)}"
            )
        return checked(array, self._runner.vocabulary)
