# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Activation-aware scales: input channels that matter more are encoded larger.

A linear layer y = W x is as well y = (W diag(s)) (x / s). Where x comes out of a
norm, or is linear in the rows of a weight, 1 / s goes there and costs nothing:

    readers     producer of what they read
    q, k, v     input_norm
    gate, up    mlp_norm
    o           rows of v: one scale for the heads that read one of keys and values
    down        rows of up

With second moments m_j of the channels and an error D = W' - W diag(s) of encoding,
the expected error of the output is sum over j of m_j / s_j^2 sum over rows of D_rj^2.
Two rules give s:

    power        s_j = m_j^(a / 2), a = 0.1, 0.2 ... 0.7 (AWQ, Lin et al., arXiv
                 2306.00978, with root mean squares for mean magnitudes)
    closed form  s_j = (m_j / c_j)^(1/4), c_j = sum over rows of W_rj^2: the least
                 (sum of c_j s_j^2)(sum of m_j / s_j^2), which is the error where
                 rotations have spread it evenly

With feedback (see `feedback`) the error is tr(E C E^T) with E = D diag(1 / s) and C the
covariance; power 0.3 and the closed form are tried then.

Every site takes the rule, or none, by which rows of its weights, encoded and decoded,
lose least together, of those by which none of its weights loses more than without.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from . import codec, feedback
from .checkpoint import ALL, Checkpoint
from .description import LINEARS, NORMS
from .error import RotqError
from .formats import Format

#: Rows of a weight that a rule is tried on. Of 16, formats that do not rotate took
#: rules by which the whole weight lost more.
ROWS = 64
POWERS = tuple(round(0.1 * step, 1) for step in range(1, 8))
#: Those tried with feedback, where every one costs a factorization.
FED_POWERS = (0.3,)
#: Scales stay within this factor of 1: steps are f16.
_REACH = 2.0**8
#: Moments below this share of their mean are as good as zero.
_LEAST = 1e-9


@dataclass(frozen=True)
class Site:
    """Weights that read one vector, and what makes it."""

    readers: tuple[str, ...]
    #: A norm whose gain it is multiplied by, or "".
    norm: str
    #: A weight whose rows it is linear in, and its bias if it has one.
    rows: tuple[str, ...]
    #: The vector has `heads` groups of `repeats` pieces which share a scale.
    heads: int = 1
    repeats: int = 1

    def weights(self) -> tuple[str, ...]:
        """Those whose columns or rows are scaled."""
        return (*self.readers, *self.rows[:1])

    def tensors(self) -> Iterator[str]:
        yield from self.readers
        yield from self.rows
        if self.norm:
            yield self.norm

    def shared(self, values: np.ndarray) -> np.ndarray:
        """Of a number for every channel the sums over those with one scale."""
        return values.reshape(self.heads, self.repeats, -1).sum(axis=1).reshape(-1)

    def spread(self, scales: np.ndarray) -> np.ndarray:
        """A scale for every channel of those that are shared."""
        pieces = np.broadcast_to(
            scales.reshape(self.heads, 1, -1), (self.heads, self.repeats, len(scales) // self.heads)
        )
        return np.ascontiguousarray(pieces).reshape(-1)


@dataclass(frozen=True)
class Choice:
    """What became of a site."""

    weights: tuple[str, ...]
    #: "power 0.5", "closed form", or "none".
    rule: str
    #: The expected error of outputs without scales over that with them, in dB, by
    #: the rows that the rule was tried on.
    gain_db: float


def sites(description: Mapping, packed: Iterable[str]) -> list[Site]:
    """Those of a decoder that can be scaled: their weights are all `packed` (what is
    kept keeps its values), and no tensor of theirs stands in another place too."""
    packed, sizes = set(packed), description["attention"]
    heads = sizes["kv_heads"]
    uses = Counter(_names(description))
    result = []
    for layer in description["layers"]:
        weight = {part: layer[part]["weight"] for part in LINEARS}
        rows = {part: _weight_and_bias(layer[part]) for part in ("v", "up")}
        result += [
            Site((weight["q"], weight["k"], weight["v"]), layer["input_norm"], ()),
            Site((weight["o"],), "", rows["v"], heads, sizes["heads"] // heads),
            Site((weight["gate"], weight["up"]), layer["mlp_norm"], ()),
            Site((weight["down"],), "", rows["up"]),
        ]
    return [
        site
        for site in result
        if packed.issuperset(site.weights()) and all(uses[name] == 1 for name in site.tensors())
    ]


def _weight_and_bias(linear: Mapping) -> tuple[str, ...]:
    return tuple(linear[key] for key in ("weight", "bias") if key in linear)


def _names(description: Mapping) -> Iterator[str]:
    """The tensors of a description, as often as they stand in it."""
    yield from (description["embedding"]["weight"], description["final_norm"])
    yield description["head"]["weight"]
    for layer in description["layers"]:
        for part, value in layer.items():
            if isinstance(value, Mapping):
                yield from value.values()
            elif part in NORMS:
                yield value


class Scaled(Checkpoint):
    """A checkpoint whose weights are scaled by what was chosen for the sites of its
    description. It computes what `source` does."""

    def __init__(
        self, source: Checkpoint, offset: float, scales: Iterable[tuple[Site, np.ndarray]]
    ):
        """`scales` has one for every group of channels of a site; norms multiply by
        their weight + `offset`."""
        super().__init__(source.path, source.files)
        self.notes = source.notes
        self._source, self._offset = source, np.float32(offset)
        self._columns: dict[str, np.ndarray] = {}
        self._rows: dict[str, np.ndarray] = {}
        self._norms: dict[str, np.ndarray] = {}
        for site, values in scales:
            for name in site.readers:
                self._columns[name] = site.spread(values)
            for name in site.rows:
                self._rows[name] = values
            if site.norm:
                self._norms[site.norm] = site.spread(values)

    def columns(self, name: str) -> np.ndarray | None:
        """What the columns of a weight are multiplied by, and what it reads divided by."""
        return self._columns.get(name)

    def names(self) -> list[str]:
        return self._source.names()

    def shape(self, name: str) -> tuple[int, ...]:
        return self._source.shape(name)

    def _is_scaled(self, name: str) -> bool:
        return any(name in scales for scales in (self._columns, self._rows, self._norms))

    def dtype(self, name: str) -> str:
        return "F32" if self._is_scaled(name) else self._source.dtype(name)

    def exact_dtype(self, name: str) -> str:
        return "F32" if self._is_scaled(name) else self._source.exact_dtype(name)

    def raw(self, name: str, rows: slice = ALL) -> np.ndarray:
        return self.float32(name, rows) if self._is_scaled(name) else self._source.raw(name, rows)

    def float32(self, name: str, rows: slice = ALL) -> np.ndarray:
        values = self._source.float32(name, rows)
        if name in self._norms:
            values = (values + self._offset) / self._norms[name] - self._offset
        if name in self._rows:
            values = values / self._rows[name][rows].reshape(-1, *[1] * (values.ndim - 1))
        if name in self._columns:
            values = values * self._columns[name]
        return values


def scaled(
    source: Checkpoint,
    description: Mapping,
    moments: Mapping[str, np.ndarray],
    formats: Mapping[str, Format],
    *,
    covariance: Callable[[str], np.ndarray] | None = None,
    threads: int = 0,
    progress: bool = True,
) -> tuple[Scaled, list[Choice]]:
    """`source` with the scales that suit `formats`, by the name of a weight, best, and
    what was chosen for each site. `moments` are those of what the weights read, and
    `covariance` gives that of one, where they will be encoded with feedback."""
    choices, scales = [], []
    bar = tqdm(
        sites(description, formats),
        desc="scales",
        unit=" sites",
        dynamic_ncols=True,
        disable=not progress,
    )
    for site in bar:
        matrix = covariance(site.readers[0]) if covariance else None
        rule, values, gain = _choose(source, site, moments, formats, threads, matrix)
        choices.append(Choice(site.readers, rule, gain))
        if values is not None:
            scales.append((site, values))
    return Scaled(source, description["norm"]["offset"], scales), choices


def _choose(
    source: Checkpoint,
    site: Site,
    moments: Mapping[str, np.ndarray],
    formats: Mapping[str, Format],
    threads: int,
    covariance: np.ndarray | None = None,
) -> tuple[str, np.ndarray | None, float]:
    """Rule, scales and gain of a site."""
    # They all read one vector.
    read = moments[site.readers[0]].astype(np.float64)
    norms = np.zeros_like(read)
    samples = []
    for name in site.readers:
        n, _ = source.shape(name)
        for rows in source.chunks(name):
            norms += np.einsum("ij,ij->j", *2 * [source.float32(name, rows)], dtype=np.float64)
        picked = np.unique(np.linspace(0, n - 1, min(n, ROWS)).astype(int))
        dense = np.concatenate([source.float32(name, slice(row, row + 1)) for row in picked])
        samples.append((formats[name], dense, n / len(picked)))
    if not (read.any() and norms.any() and np.isfinite(norms).all()):
        return "none", None, 0.0
    read = np.maximum(read, _LEAST * read.mean())
    norms = np.maximum(norms, _LEAST * norms.mean())

    def errors(scales: np.ndarray) -> np.ndarray:
        """Of the outputs of every reader."""
        result, factors = [], {}
        for format, dense, weight in samples:
            wide = dense * scales
            fed = None
            if covariance is not None:
                rotation = str(format.declaration["rotation"])
                if rotation not in factors:
                    factors[rotation] = feedback.factor(format, covariance, scales)
                fed = factors[rotation]
            blob = codec.encode(format, wide, feedback=fed, threads=threads)
            wide -= codec.decode(format, blob, *wide.shape, threads=threads)
            wide = wide / scales.astype(np.float64)
            outputs = wide * read if covariance is None else wide @ covariance
            result.append(weight * float(np.einsum("ij,ij->", wide, outputs)))
        return np.array(result)

    shared, columns = site.shared(read), site.shared(norms)
    rules = {"none": np.ones_like(shared)}
    powers = POWERS if covariance is None else FED_POWERS
    rules |= {f"power {power}": shared ** (power / 2) for power in powers}
    rules["closed form"] = (shared / columns) ** 0.25
    scales = {rule: _normalized(values, columns) for rule, values in rules.items()}
    try:
        losses = {rule: errors(site.spread(values)) for rule, values in scales.items()}
    except RotqError:
        # What cannot be encoded is for encoding to report, by its row and tensor.
        return "none", None, 0.0
    allowed = [rule for rule in losses if (losses[rule] <= losses["none"]).all()]
    rule = min(allowed, key=lambda rule: losses[rule].sum())
    before, after = losses["none"].sum(), losses[rule].sum()
    if rule == "none" or not after:
        return "none", None, 0.0
    return rule, scales[rule], 10 * math.log10(before / after)


def _normalized(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Scales that leave the norm of a weight as it is, none too far from the rest."""
    values = values / math.sqrt(float(columns @ values**2) / columns.sum())
    return np.clip(values, 1 / _REACH, _REACH).astype(np.float32)
