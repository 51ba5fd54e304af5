# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tensors of a model as they are stored, and what they come to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from .archive import Archive
from .checkpoint import Checkpoint
from .safetensors_writer import DTYPE_BYTES


@dataclass(frozen=True)
class Tensor:
    """How a tensor is stored."""

    name: str
    shape: tuple[int, ...]
    #: None: not packed.
    format: str | None
    #: Per weight, in the file.
    bits: float
    #: Squared error over squared norm; None where it was not measured.
    error: float | None = None

    @property
    def weights(self) -> int:
        return math.prod(self.shape)


def stored(source: Archive | Checkpoint) -> list[Tensor]:
    """The tensors of a file, in its order."""
    packed = source.weights if isinstance(source, Archive) else {}
    result = []
    for name in source:
        shape = source.shape(name)
        if name in packed:
            result.append(Tensor(name, shape, packed[name][1].name, source.stored_bits(name)))
        else:
            result.append(Tensor(name, shape, None, 8.0 * DTYPE_BYTES[source.dtype(name)]))
    return result


def formats_of(tensors: Iterable[Tensor]) -> str:
    """The formats of packed tensors, that of most weights first: "rq3+rq4"."""
    counts: Counter[str] = Counter()
    for tensor in tensors:
        if tensor.format is not None:
            counts[tensor.format] += tensor.weights
    return "+".join(name for name, _ in counts.most_common())


def mean_bits(tensors: Iterable[Tensor]) -> float | None:
    """Per weight; None where there is none."""
    tensors = list(tensors)
    weights = sum(tensor.weights for tensor in tensors)
    return sum(t.bits * t.weights for t in tensors) / weights if weights else None
