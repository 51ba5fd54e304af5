# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The description of a decoder, decoder.json: its vocabulary, its checks, and
the tensors it names. docs/models.md says what it computes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from .error import RotqError
from .json_text import parse_object

VERSION = 1

#: The types a weight may have.
FLOATS = ("F64", "F32", "F16", "BF16")

#: The tensors of a layer by their key in a description: the products, and the
#: norms, of which only the first two are in every decoder.
LINEARS = ("q", "k", "v", "o", "gate", "up", "down")
NORMS = ("input_norm", "mlp_norm", "q_norm", "k_norm", "post_attention_norm", "post_mlp_norm")
BIASED = ("q", "k", "v")
ACTIVATIONS = ("silu", "gelu_tanh")

_SCALARS = {
    "a positive number": lambda x: type(x) is int and 0 < x < 2**31,
    "a number from 0": lambda x: type(x) is int and 0 <= x < 2**31,
    "a finite number": lambda x: type(x) in (int, float) and abs(x) < math.inf,
    "a string": lambda x: isinstance(x, str),
    "true or false": lambda x: isinstance(x, bool),
    " or ".join(ACTIVATIONS): lambda x: x in ACTIVATIONS,
}
_LINEAR = {"weight": "a string"}
_SCHEMA = {
    "version": "a positive number",
    "architecture": "a string",
    "vocabulary": "a positive number",
    "hidden": "a positive number",
    "context": "a positive number",
    "norm": {"epsilon": "a finite number", "offset": "a finite number"},
    "attention": {
        "heads": "a positive number",
        "kv_heads": "a positive number",
        "head_size": "a positive number",
        "scale": "a finite number",
    },
    "mlp": {"size": "a positive number", "activation": " or ".join(ACTIVATIONS)},
    "rotary": [
        {
            "interleaved": "true or false",
            "frequencies": ["a finite number"],
            "factor": "a finite number",
        }
    ],
    "embedding": _LINEAR | {"scale": "a finite number"},
    "layers": [
        {part: _LINEAR | {"bias?": "a string"} for part in BIASED}
        | {part: _LINEAR for part in LINEARS if part not in BIASED}
        | {part: "a string" for part in NORMS[:2]}
        | {f"{part}?": "a string" for part in NORMS[2:]}
        | {"rotary?": "a number from 0", "window?": "a positive number"}
    ],
    "final_norm": "a string",
    "head": _LINEAR,
    "tokens": {"begin?": "a number from 0", "end": ["a number from 0"]},
}


def load(path: str | os.PathLike) -> dict:
    """The description in the decoder.json at `path`. Raises RotqError where it
    is not what docs/models.md says."""
    path = Path(path)
    description = read_object(path)
    check(description, path)
    return description


def check(description: dict, path: Path) -> None:
    """Raises RotqError unless `description`, read from `path`, is one."""
    if description.get("version") != VERSION:
        raise RotqError(f"{path}: version {shown(description.get('version'))}, expected {VERSION}")
    _match(description, _SCHEMA, str(path))
    attention, rotary = description["attention"], description["rotary"]
    head_size = attention["head_size"]
    if attention["heads"] % attention["kv_heads"]:
        raise RotqError(
            f"{path}: expected heads in equal groups but got {attention['heads']} for "
            f"{attention['kv_heads']} of keys"
        )
    for index, embedding in enumerate(rotary):
        if 2 * len(embedding["frequencies"]) != head_size:
            raise RotqError(f"{path}: rotary {index}: expected {head_size / 2:g} frequencies")
    for index, layer in enumerate(description["layers"]):
        if layer.get("rotary", -1) >= len(rotary):
            raise RotqError(f"{path}: layer {index}: no rotary embedding {layer['rotary']}")
    tokens = description["tokens"]
    for token in (*tokens["end"], *([tokens["begin"]] if "begin" in tokens else [])):
        if token >= description["vocabulary"]:
            raise RotqError(f"{path}: token {token} is not in the vocabulary")
    try:
        tensors(description)
    except RotqError as error:
        raise RotqError(f"{path}: {error}") from None


def _match(value: object, schema: object, where: str) -> None:
    """Raises RotqError unless `value` is as `schema` says: an object with those
    keys, those that end in "?" optional; a list of such entries; or what has
    that name in `_SCALARS`."""
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            raise RotqError(f"{where}: expected an object but got {shown(value)}")
        known = {key.removesuffix("?"): inner for key, inner in schema.items()}
        for key in value:
            if key not in known:
                raise RotqError(f"{where}: '{key}' is not known")
        for key in schema:
            if not key.endswith("?") and key not in value:
                raise RotqError(f"{where}: no '{key}'")
        for key, inner in value.items():
            _match(inner, known[key], f"{where}: '{key}'")
    elif isinstance(schema, list):
        if not isinstance(value, list):
            raise RotqError(f"{where}: expected a list but got {shown(value)}")
        for index, inner in enumerate(value):
            _match(inner, schema[0], f"{where}: {index}")
    elif not _SCALARS[schema](value):
        raise RotqError(f"{where}: expected {schema} but got {shown(value)}")


def tensors(description: Mapping) -> dict[str, tuple[int, ...]]:
    """The tensors a description names and their shapes, weights as (outputs,
    inputs). Raises RotqError where one has two shapes."""
    hidden, mlp = description["hidden"], description["mlp"]["size"]
    attention = description["attention"]
    head = attention["head_size"]
    rows, kv_rows = attention["heads"] * head, attention["kv_heads"] * head
    shapes = {
        "q": (rows, hidden),
        "k": (kv_rows, hidden),
        "v": (kv_rows, hidden),
        "o": (hidden, rows),
        "gate": (mlp, hidden),
        "up": (mlp, hidden),
        "down": (hidden, mlp),
        "q_norm": (head,),
        "k_norm": (head,),
    }
    vocabulary = (description["vocabulary"], hidden)
    result: dict[str, tuple[int, ...]] = {}

    def put(name: str, shape: tuple[int, ...]) -> None:
        if result.setdefault(name, shape) != shape:
            raise RotqError(f"tensor '{name}' is described in shapes {result[name]} and {shape}")

    put(description["embedding"]["weight"], vocabulary)
    for layer in description["layers"]:
        for part in LINEARS:
            put(layer[part]["weight"], shapes[part])
            if "bias" in layer[part]:
                put(layer[part]["bias"], shapes[part][:1])
        for part in NORMS:
            if part in layer:
                put(layer[part], shapes.get(part, (hidden,)))
    put(description["final_norm"], (hidden,))
    put(description["head"]["weight"], vocabulary)
    return result


def linear_weights(description: Mapping) -> list[str]:
    """The weights of the linear layers of all layers, as often as they stand there."""
    return [layer[part]["weight"] for layer in description["layers"] for part in LINEARS]


def check_tensors(
    weights, expected: Mapping[str, tuple[int, ...]], ignored: Iterable[str] = ()
) -> None:
    """Raises RotqError unless `weights`, a checkpoint or an archive, has the
    tensors `expected`, of floats or packed, and none but those and `ignored`."""
    stored = set(weights)
    packed = getattr(weights, "weights", {})
    for name, shape in expected.items():
        where = f"{weights.path}: tensor '{name}'"
        if name not in stored:
            raise RotqError(f"{weights.path}: no tensor '{name}'")
        if tuple(weights.shape(name)) != shape:
            raise RotqError(f"{where}: expected shape {shape} but got {weights.shape(name)}")
        if name not in packed and weights.dtype(name) not in FLOATS:
            raise RotqError(f"{where}: expected floats but got {weights.dtype(name)}")
    left = sorted(stored - set(expected) - set(ignored))
    if left:
        more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        raise RotqError(f"{weights.path}: tensor '{left[0]}'{more} is not of a supported decoder")


def read_object(path: Path) -> dict:
    """The JSON object in the file at `path`."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise RotqError(f"{path}: no such file") from None
    return parse_object(text, f"{path}:")


def shown(value: object) -> str:
    """A value for a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
