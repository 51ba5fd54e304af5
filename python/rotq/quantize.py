# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a checkpoint to an archive and back, and from a model directory to a
packed one, some rows of a tensor at a time."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from . import archive, checkpoint, codec, model_dir, moments, scaling
from .archive import Archive, ArchiveWriter
from .checkpoint import Checkpoint, compiled
from .description import linear_weights
from .error import RotqError
from .feedback import Factors
from .formats import Format, Layout
from .model_dir import Model
from .plan import Plan, check_weight
from .safetensors_writer import DTYPE_BYTES, Entry, Writer
from .scaling import Choice
from .tensors import Tensor, formats_of, mean_bits


@dataclass
class Report:
    """What quantizing a model came to."""

    path: Path
    #: In the order of the source.
    tensors: list[Tensor] = field(default_factory=list)
    #: Of the file of the tensors.
    archive_bytes: int = 0
    #: Spent encoding.
    seconds: float = 0.0
    #: What became of the sites that could have activation-aware scales.
    scales: list[Choice] = field(default_factory=list)
    #: Whether errors were fed back while encoding.
    feedback: bool = False

    @property
    def packed(self) -> list[Tensor]:
        return [tensor for tensor in self.tensors if tensor.format is not None]

    @property
    def format(self) -> str:
        """The formats, the most used first: "rq3+rq4"."""
        return formats_of(self.tensors)

    @property
    def weights(self) -> int:
        """Those that were packed."""
        return sum(tensor.weights for tensor in self.packed)

    @property
    def bits_per_weight(self) -> float:
        """Of packed weights."""
        return mean_bits(self.packed)

    @property
    def weights_per_second(self) -> float:
        return self.weights / self.seconds

    @property
    def errors(self) -> dict[str, float]:
        """By tensor, where they were measured."""
        return {tensor.name: tensor.error for tensor in self.packed if tensor.error is not None}

    @property
    def mean_error(self) -> float:
        return sum(self.errors.values()) / len(self.errors)

    @property
    def mean_gain_db(self) -> float:
        """Of activation-aware scales, over their sites."""
        return sum(choice.gain_db for choice in self.scales) / len(self.scales)

    @property
    def worst(self) -> str:
        """The tensor with the largest error."""
        return max(self.errors, key=self.errors.__getitem__)


class Error:
    """The relative squared error of weights that come in pieces."""

    def __init__(self):
        self._norm = self._error = 0.0

    def add(self, weights: np.ndarray, decoded: np.ndarray) -> None:
        """`decoded` is written over."""
        decoded -= weights
        self._norm += _square(weights)
        self._error += _square(decoded)

    def join(self, other: Error) -> None:
        """Adds the weights of another."""
        self._norm += other._norm
        self._error += other._error

    def relative(self) -> float:
        return self._error / self._norm if self._norm else self._error


def relative_error(weights: np.ndarray, decoded: np.ndarray) -> float:
    """|weights - decoded|^2 / |weights|^2, and 0 where both are all zero."""
    error = Error()
    error.add(weights, decoded.copy())
    return error.relative()


def _square(matrix: np.ndarray) -> float:
    return float(np.einsum("ij,ij->", matrix, matrix, dtype=np.float64))


def _check_output(out: str | os.PathLike, source: str | os.PathLike) -> None:
    """Refuses to put what was made of a model in its place."""
    if os.path.exists(out) and os.path.samefile(out, source):
        raise RotqError(f"{out}: expected another file than the one that is read")


def quantize(
    source: Checkpoint,
    out: str | os.PathLike,
    format: Format,
    *,
    include: str | None = None,
    exclude: str | None = None,
    plan: Plan | None = None,
    threads: int = 0,
    measure: bool = False,
    progress: bool = True,
) -> Report:
    """Writes `source` to the archive `out`: as `plan` has it, and in `format` what
    it has no rule for and is a linear layer (see `Checkpoint.linear_layers`).
    `measure` decodes every packed weight again and reports its error. Raises
    RotqError where the plan does not fit, nothing is left to pack, `source` is
    packed already or `out` cannot be written."""
    for file in (source.path, *source.files):
        _check_output(out, file)
    if os.path.isdir(out):
        raise RotqError(f"{out}: expected a file for the archive but got a directory")
    linears = _linears_of_checkpoint(source, include, exclude)
    chosen = _choose(source, dict.fromkeys(linears, format), plan)
    return _pack(source, Path(out), chosen, None, threads, measure, progress)


def quantize_model(
    model: Model,
    out: str | os.PathLike,
    format: Format,
    *,
    embeddings: Format | None = None,
    include: str | None = None,
    exclude: str | None = None,
    plan: Plan | None = None,
    scales: bool | None = None,
    feedback: bool | None = None,
    threads: int = 0,
    measure: bool = True,
    progress: bool = True,
) -> Report:
    """Makes the model directory `out` of another, as `quantize` makes an archive:
    the linear layers are those of its description, and its embedding and head are
    packed in the format `embeddings`, if there is one. `scales` says whether weights
    get activation-aware scales first (see `scaling`), and `feedback` whether later columns
    make good what earlier ones err by (see `feedback`), by default where the model has
    been calibrated. quantize.json has the report."""
    source = model.weights
    linears = _linears_of_model(model, include, exclude)
    default = dict.fromkeys(linears, format)
    if embeddings:
        for part in ("embedding", "head"):
            default[model.description[part]["weight"]] = embeddings
    chosen = _choose(source, default, plan)
    measured = None if scales is feedback is False else moments.read(model)
    if (scales or feedback) and measured is None:
        raise RotqError(f"{model.path}: not calibrated: run `rotq calibrate`")
    with model_dir.replace(out, model.path) as folder:
        for name in (model_dir.DECODER, model_dir.MODULE, model_dir.TOKENIZER):
            shutil.copyfile(model.path / name, folder / name)
        choices: list[Choice] = []
        fed = measured is not None and feedback is not False
        scaled = scaling.Scaled(source, 0.0, [])
        if measured and scales is not False:
            scaled, choices = scaling.scaled(
                source,
                model.description,
                measured.second,
                chosen,
                covariance=measured.covariance if fed else None,
                threads=threads,
                progress=progress,
            )
        factors = Factors(measured, scaled.columns) if fed else None
        path = folder / model_dir.WEIGHTS
        report = _pack(scaled, path, chosen, factors, threads, measure, progress)
        report.scales, report.feedback = choices, fed
        text = json.dumps(_described(report, model.path.resolve().name), indent=1)
        (folder / model_dir.QUANTIZATION).write_text(text + "\n", encoding="utf-8")
    report.path = Path(out)
    return report


def _linears_of_checkpoint(
    source: Checkpoint, include: str | None, exclude: str | None
) -> list[str]:
    for file in source.files:
        _check_unpacked(file, archive.is_archive(file))
    return source.linear_layers(include, exclude)


def _linears_of_model(model: Model, include: str | None, exclude: str | None) -> list[str]:
    """Those of its description, or what `include` says."""
    source = model.weights
    _check_unpacked(source.path, isinstance(source, Archive))
    if include is not None:
        return source.linear_layers(include, exclude)
    linears = dict.fromkeys(linear_weights(model.description))
    unwanted = compiled(exclude) if exclude else None
    return [name for name in linears if not (unwanted and unwanted.fullmatch(name))]


def open_linears(path: str | os.PathLike) -> tuple[Checkpoint, list[str]]:
    """What is read of the model directory or checkpoint at `path`, and the linear
    layers that `quantize_model` or `quantize` would pack of it. Raises RotqError
    where that is nothing or packed already."""
    if model_dir.is_model(path):
        model = model_dir.open_model(path)
        source, linears = model.weights, _linears_of_model(model, None, None)
    else:
        source = checkpoint.open(path)
        linears = _linears_of_checkpoint(source, None, None)
    _check_any(source, linears)
    for name in linears:
        check_weight(source, name)
    return source, linears


def _check_unpacked(path: Path, is_packed: bool) -> None:
    if is_packed:
        raise RotqError(f"{path}: expected weights to quantize but they are packed already")


def _choose(
    source: Checkpoint, default: Mapping[str, Format], plan: Plan | None
) -> dict[str, Format]:
    chosen = (plan or Plan({})).choose(source, default)
    _check_any(source, chosen)
    return chosen


def _check_any(source: Checkpoint, names: Collection[str]) -> None:
    if not names:
        raise RotqError(f"{source.path}: no tensor to quantize")


def _described(report: Report, source: str) -> dict:
    """quantize.json, as docs/models.md has it."""
    return {
        "format": report.format,
        "source": source,
        "seconds": report.seconds,
        "bytes": report.archive_bytes,
        "packed_bits": report.bits_per_weight,
        "bits": mean_bits(report.tensors),
        "feedback": report.feedback,
        "scales": [asdict(choice) for choice in report.scales],
        "tensors": [asdict(tensor) for tensor in report.tensors],
    }


def _pack(
    source: Checkpoint,
    path: Path,
    chosen: Mapping[str, Format],
    factors: Factors | None,
    threads: int,
    measure: bool,
    progress: bool,
) -> Report:
    """Writes `source` to the archive `path`, the tensors `chosen` in their formats, with
    feedback where there are `factors`. Holds one packed tensor and some rows of the source
    in memory."""
    entries = {name: Entry(name, source.dtype(name), source.shape(name)) for name in source}
    weights = {name: (source.shape(name), format) for name, format in chosen.items()}
    others = [entry for name, entry in entries.items() if name not in weights]
    report = Report(path)
    tensors: dict[str, Tensor] = {}
    bar = tqdm(
        total=sum(entry.nbytes for entry in entries.values()),
        desc="quantize",
        unit="B",
        unit_scale=True,
        dynamic_ncols=True,
        disable=not progress,
    )

    def read(name: str, function: Callable) -> Iterator[np.ndarray]:
        for rows in source.chunks(name):
            chunk = function(name, rows)
            yield chunk
            bar.update(chunk.size * DTYPE_BYTES[entries[name].dtype])

    with bar, ArchiveWriter(path, weights, others) as writer:
        for name in (entry.name for entry in writer.entries):
            dtype, shape, format = entries[name].dtype, entries[name].shape, chosen.get(name)
            if format is None:
                writer.write(name, read(name, source.raw))
                tensors[name] = Tensor(name, shape, None, 8.0 * DTYPE_BYTES[dtype])
                continue
            layout = format.layout(*shape)
            where = f"{source.path}: tensor '{name}'"
            chunks = read(name, source.float32)
            start = time.perf_counter()
            feedback = factors.of(name, format) if factors else None
            report.seconds += time.perf_counter() - start
            blob, error, seconds = _encode(
                where, format, layout, chunks, feedback, threads, measure
            )
            stored = codec.compress(format, blob, *shape, threads=threads)
            writer.write(name, stored)
            bits = 8.0 * stored.nbytes / math.prod(shape)
            del blob, stored  # or they are there beside the next
            tensors[name] = Tensor(name, shape, format.name, bits, error)
            report.seconds += seconds
    report.tensors = [tensors[name] for name in entries]
    report.archive_bytes = path.stat().st_size
    return report


def encode_rows(
    where: str,
    format: Format,
    first: int,
    chunk: np.ndarray,
    *,
    feedback: np.ndarray | None = None,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """The rows of a weight from `first` on as a blob of their own. Errors begin with
    `where` and count rows from the first of the weight."""
    try:
        return codec.encode(format, chunk, feedback=feedback, threads=threads, progress=progress)
    except RotqError as failure:
        raise RotqError(f"{where}: {_counted_from(first, str(failure))}") from None


def _encode(
    where: str,
    format: Format,
    layout: Layout,
    chunks: Iterable[np.ndarray],
    feedback: np.ndarray | None,
    threads: int,
    measure: bool,
) -> tuple[np.ndarray, float | None, float]:
    """The weight whose rows come in `chunks`: its blob, its relative squared error
    if that is to be measured, and the seconds that encoding took."""
    blob = np.zeros(layout.total_bytes, np.uint8)
    first, seconds, error = 0, 0.0, Error()
    for chunk in chunks:
        start = time.perf_counter()
        part = encode_rows(where, format, first, chunk, feedback=feedback, threads=threads)
        seconds += time.perf_counter() - start
        codec.put_rows(blob, layout, first, part, format.layout(*chunk.shape))
        if measure:
            error.add(chunk, codec.decode(format, part, *chunk.shape, threads=threads))
        first += len(chunk)
    return blob, error.relative() if measure else None, seconds


def _counted_from(first: int, text: str) -> str:
    """A message about a row of a chunk as one about that of the weight."""
    return re.sub(r"(?<= row )\d+", lambda row: str(first + int(row[0])), text)


def dequantize(
    source: Archive, out: str | os.PathLike, dtype: str = "F16", *, progress: bool = True
) -> None:
    """Writes the archive as a plain safetensors file: packed weights decoded
    to `dtype` (F32, F16 or BF16), the other tensors as they are."""
    import ml_dtypes

    _check_output(out, source.path)
    types = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
    entries = [
        Entry(name, dtype if name in source.weights else source.dtype(name), source.shape(name))
        for name in source
    ]
    with Writer(out, entries, {}) as writer:
        for entry in tqdm(writer.entries, desc="dequantize", unit=" tensors", disable=not progress):
            tensor = source[entry.name]
            if entry.name in source.weights:
                tensor = tensor.decode().astype(types[dtype])
            writer.write(entry.name, tensor)
