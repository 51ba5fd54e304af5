# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a report is made of: the JSON files of model directories, checked, and the
kernels that the compiler chooses for them."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import archive, evaluate, host, model_dir
from . import checkpoint as checkpoints
from . import description as descriptions
from .description import shown
from .error import RotqError
from .json_text import parse
from .tensors import Tensor, formats_of, mean_bits, stored


def is_number(value: object) -> bool:
    """Whether `value` is a number of JSON; NaN and Infinity, which Python writes
    where a measurement diverged, are."""
    return type(value) in (int, float)


def is_finite(value: object) -> bool:
    return is_number(value) and math.isfinite(value)


_CHECKS: dict[str, Callable[[object], bool]] = {
    "a string": lambda x: isinstance(x, str),
    "a string or null": lambda x: x is None or isinstance(x, str),
    "a number": is_number,
    "a number or null": lambda x: x is None or is_number(x),
    "a count": lambda x: type(x) is int and x >= 0,
    "a count or null": lambda x: x is None or (type(x) is int and x >= 0),
    "a shape": lambda x: isinstance(x, list) and all(type(e) is int and e > 0 for e in x),
    "a list": lambda x: isinstance(x, list),
}
_QUANTIZED = {
    "format": "a string",
    "source": "a string or null",
    "bytes": "a count or null",
    "packed_bits": "a number or null",
    "bits": "a number or null",
    "tensors": "a list",
}
_TENSOR = {
    "name": "a string",
    "shape": "a shape",
    "format": "a string or null",
    "bits": "a number",
    "error": "a number or null",
}
_EVALUATION = {
    "format": "a string or null",
    "bits": "a number or null",
    "ppl": "a number",
    "kl": "a number or null",
    "top1": "a number or null",
    "tokens": "a count",
    "window": "a count",
    "stride": "a count or null",
    "text": "a string or null",
    "against": "a string or null",
}


@dataclass(frozen=True)
class Evaluation:
    """A row of evaluations.json."""

    format: str | None
    bits: float | None
    ppl: float
    kl: float | None
    top1: float | None
    tokens: int
    window: int
    stride: int | None
    text: str | None
    against: str | None

    @property
    def setting(self) -> tuple:
        """What two rows must share to be compared."""
        return (self.text, self.tokens, self.window, self.stride)


@dataclass(frozen=True)
class Kernel:
    """A kernel that a product of the model runs on the host."""

    function: str
    weight: str
    shape: tuple[int, ...]
    format: str
    #: The type of what it multiplies by.
    activation: str
    kernel: str
    #: The numbers of rows of the activation that it takes; None: no upper end.
    m: tuple[int, int | None]
    #: What it computes of its sums.
    epilogue: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """A model directory, as far as its files are there."""

    path: Path
    #: Unique in a report: the format, and the directory where that is not enough.
    label: str
    #: Whether any weight is packed.
    packed: bool
    source: str | None
    bytes: int | None
    #: Bits per weight, over the packed ones and over all.
    packed_bits: float | None
    bits: float | None
    tensors: Mapping[str, Tensor]
    evaluations: Sequence[Evaluation]
    kernels: Sequence[Kernel]
    #: A sentence for everything that was not there.
    missing: Sequence[str]

    def errors(self) -> dict[str, float]:
        """The errors that were measured, by tensor."""
        return {t.name: t.error for t in self.tensors.values() if is_finite(t.error)}


@dataclass(frozen=True)
class Inputs:
    """Results of one model."""

    description: Mapping
    results: Sequence[Result]
    #: A sentence for every directory that could not be read.
    skipped: Sequence[str]

    def places(self) -> dict[str, list[tuple[int, str]]]:
        """The (layer, kind) of every linear by its tensor."""
        places: dict[str, list[tuple[int, str]]] = {}
        for index, layer in enumerate(self.description["layers"]):
            for kind in descriptions.LINEARS:
                places.setdefault(layer[kind]["weight"], []).append((index, kind))
        return places


def read(directories: Iterable[str | os.PathLike]) -> Inputs:
    """Reads model directories. One that is not there is skipped as long as
    another is; raises RotqError for files that are malformed and for
    directories of different models."""
    description: dict | None = None
    first = Path()
    results, skipped = [], []
    for path in dict.fromkeys(map(Path, directories)):
        if not (path / model_dir.DECODER).is_file():
            skipped.append(f"{path}: no {model_dir.DECODER}: not a model directory")
            continue
        found = descriptions.load(path / model_dir.DECODER)
        if description is None:
            description, first = found, path
        elif found != description:
            key = next(k for k in {**description, **found} if found.get(k) != description.get(k))
            raise RotqError(
                f"{path / model_dir.DECODER}: expected the model of {first / model_dir.DECODER} "
                f"but '{key}' differs"
            )
        results.append(_result(path, found))
    if description is None:
        raise RotqError("; ".join(skipped) or "expected a model directory")
    # What is not quantized comes first, then what has the most bits.
    results.sort(key=lambda result: (result.packed, -(result.bits or 0)))
    return Inputs(description, _labelled(results), skipped)


def _result(path: Path, description: Mapping) -> Result:
    missing: list[str] = []
    header = _quantized(path, description) or _stored(path, missing)
    evaluations = _rows(path / evaluate.FILE, _EVALUATION, Evaluation, missing)
    kernels = _kernels(path, missing) if header["packed"] else []
    known = [row.bits for row in evaluations if row.bits is not None]
    if header["bits"] is None and known:
        header["bits"] = known[-1]
    if header["bytes"] is None and (path / model_dir.WEIGHTS).is_file():
        header["bytes"] = (path / model_dir.WEIGHTS).stat().st_size
    if header["label"] is None:
        header["label"] = next((row.format for row in evaluations if row.format), path.name)
    return Result(path=path, evaluations=evaluations, kernels=kernels, missing=missing, **header)


def _quantized(path: Path, description: Mapping) -> dict | None:
    """What quantize.json says; None where there is none."""
    file = path / model_dir.QUANTIZATION
    if not file.exists():
        return None
    value = descriptions.read_object(file)
    _check(value, _QUANTIZED, file)
    expected = descriptions.tensors(description)
    tensors: dict[str, Tensor] = {}
    for index, entry in enumerate(value["tensors"]):
        fields = _check(entry, _TENSOR, f"{file}: tensor {index}")
        tensor = Tensor(**fields | {"shape": tuple(fields["shape"])})
        where = f"{file}: tensor '{tensor.name}'"
        if tensor.name not in expected:
            raise RotqError(f"{where}: not in {model_dir.DECODER}")
        if tensor.shape != expected[tensor.name]:
            raise RotqError(
                f"{where}: expected shape {expected[tensor.name]} but got {tensor.shape}"
            )
        if tensor.name in tensors:
            raise RotqError(f"{where}: listed twice")
        tensors[tensor.name] = tensor
    return {
        "label": value["format"],
        "packed": any(tensor.format is not None for tensor in tensors.values()),
        "source": value.get("source"),
        "bytes": value.get("bytes"),
        "packed_bits": value.get("packed_bits"),
        "bits": value.get("bits"),
        "tensors": tensors,
    }


def _stored(path: Path, missing: list[str]) -> dict:
    """What the weights themselves say."""
    file = path / model_dir.WEIGHTS
    header = dict.fromkeys(("label", "source", "bytes", "packed_bits", "bits"))
    header |= {"packed": False, "tensors": {}}
    if not file.is_file():
        missing.append(
            f"no {model_dir.QUANTIZATION} and no {model_dir.WEIGHTS}: bits and errors are not known"
        )
        return header
    if not archive.is_archive(file):
        # Not quantized: nothing is missing.
        return header | _floats(checkpoints.open(file))
    missing.append(
        f"no {model_dir.QUANTIZATION}: errors are not known, bits are those of {model_dir.WEIGHTS}"
    )
    return header | _packed(archive.open(file))


def _floats(weights: checkpoints.Checkpoint) -> dict:
    counts: Counter[str] = Counter()
    for name in weights:
        counts[weights.dtype(name)] += math.prod(weights.shape(name))
    return {
        "label": counts.most_common(1)[0][0].lower() if counts else None,
        "bits": mean_bits(stored(weights)),
    }


def _packed(weights: archive.Archive) -> dict:
    tensors = stored(weights)
    packed = [tensor for tensor in tensors if tensor.format is not None]
    return {
        "label": formats_of(tensors),
        "packed": bool(packed),
        "packed_bits": mean_bits(packed),
        "bits": mean_bits(tensors),
        "tensors": {tensor.name: tensor for tensor in tensors},
    }


def _kernels(path: Path, missing: list[str]) -> list[Kernel]:
    """Those that the compiler chooses for the model."""
    try:
        model = model_dir.open_model(path)
        formats = {name: format.json for name, format in model.formats.items()}
        rows = host.kernels(model.module.read_text(), formats)
    except RotqError as error:
        missing.append(f"kernels are not known: {error}")
        return []
    return [
        Kernel(**{key: tuple(x) if isinstance(x, list) else x for key, x in row.items()})
        for row in rows
    ]


def _rows(file: Path, schema: Mapping[str, str], kind: type, missing: list[str]) -> list:
    """The list of objects in a file, each as a `kind`."""
    if not file.exists():
        missing.append(f"no {file.name}")
        return []
    rows = parse(file.read_bytes(), f"{file}:")
    if not isinstance(rows, list):
        raise RotqError(f"{file}: expected a list but got {shown(rows)}")
    result = []
    for index, row in enumerate(rows):
        result.append(kind(**_check(row, schema, f"{file}: row {index}")))
    return result


def _check(value: object, schema: Mapping[str, str], where: object) -> dict:
    """The entries of `schema` in an object. Others are left alone, so that the
    files may come to say more; what may be null may be absent."""
    if not isinstance(value, dict):
        raise RotqError(f"{where}: expected an object but got {shown(value)}")
    fields = {}
    for key, kind in schema.items():
        if key not in value and not kind.endswith("null"):
            raise RotqError(f"{where}: no '{key}'")
        fields[key] = value.get(key)
        if not _CHECKS[kind](fields[key]):
            raise RotqError(f"{where}: '{key}': expected {kind} but got {shown(fields[key])}")
    return fields


def _labelled(results: Sequence[Result]) -> list[Result]:
    """Results under labels that are unique."""
    labels = [result.label for result in results]
    for name in (lambda path: path.resolve().name, str):
        counts = Counter(labels)
        labels = [
            f"{result.label} ({name(result.path)})" if counts[label] > 1 else label
            for result, label in zip(results, labels, strict=True)
        ]
    return [replace(r, label=label) for r, label in zip(results, labels, strict=True)]
