# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Model directories as docs/models.md defines them, read back and checked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from . import archive, checkpoint, tokenizer
from . import description as descriptions
from .archive import Archive
from .checkpoint import Checkpoint
from .error import RotqError
from .formats import Format
from .locking import lock

DECODER = "decoder.json"
MODULE = "model.mlir"
WEIGHTS = "weights.safetensors"
TOKENIZER = tokenizer.FILE
QUANTIZATION = "quantize.json"
EVALUATIONS = "evaluations.json"
CALIBRATION = "calibration.safetensors"

#: Where the files of a model are until it is whole, and what its writer locks.
_UNFINISHED = ".unfinished"
_LOCK = ".unfinished.lock"


@dataclass(frozen=True)
class Model:
    """A model directory whose parts are there and fit."""

    path: Path
    #: decoder.json.
    description: dict
    #: Its tensors: packed ones in an archive, else a checkpoint.
    weights: Archive | Checkpoint

    @property
    def module(self) -> Path:
        return self.path / MODULE

    @property
    def formats(self) -> dict[str, Format]:
        """Those of the packed tensors."""
        if not isinstance(self.weights, Archive):
            return {}
        return {name: format for name, (_, format) in self.weights.weights.items()}

    def tokenizer(self) -> tokenizer.Tokenizer:
        return tokenizer.load(self.path)


def is_model(path: str | os.PathLike) -> bool:
    """Whether `path` is a model directory, if only a part of one."""
    return any((Path(path) / name).exists() for name in (DECODER, MODULE))


def open_model(path: str | os.PathLike) -> Model:
    """The model directory at `path`. Raises RotqError where a file is missing
    or not what docs/models.md says, and where the tensors are others than those
    of the description."""
    path = Path(path)
    if not path.is_dir():
        raise RotqError(f"{path}: expected a model directory, as `rotq import` writes it")
    if not (path / DECODER).exists():
        raise RotqError(f"{path}: no {DECODER}: not a model directory, or an unfinished one")
    for name in (MODULE, WEIGHTS, TOKENIZER):
        if not (path / name).is_file():
            raise RotqError(f"{path / name}: no such file")
    description = descriptions.load(path / DECODER)
    weights = _weights(path / WEIGHTS)
    descriptions.check_tensors(weights, descriptions.tensors(description))
    return Model(path, description, weights)


def _weights(path: Path) -> Archive | Checkpoint:
    if archive.is_archive(path):
        return archive.open(path)
    weights = checkpoint.open(path)
    if not isinstance(weights, checkpoint.SafetensorsCheckpoint):
        raise RotqError(f"{path}: expected a safetensors file")
    return weights


@contextmanager
def replace(out: str | os.PathLike, source: str | os.PathLike) -> Iterator[Path]:
    """A folder to write the files of a model into, which was made of `source`. At
    the end they take the place of those of `out`, decoder.json last: without it a
    directory is no model. Where the body raises, `out` stays what it was, and what a
    killed process leaves is removed by the next. Of two that write one directory
    at a time the second is refused."""
    out = Path(out)
    if out.exists() and (not out.is_dir() or out.samefile(source)):
        raise RotqError(f"{out}: expected a directory for the model, and not the one that is read")
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    descriptor = lock(out / _LOCK, os.O_RDWR | os.O_CREAT)
    unfinished = out / _UNFINISHED
    try:
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir()
        yield unfinished
        # Files of two models must never be taken for one.
        (out / DECODER).unlink(missing_ok=True)
        for name in (MODULE, WEIGHTS, TOKENIZER, QUANTIZATION, EVALUATIONS, CALIBRATION):
            if (unfinished / name).exists():
                os.replace(unfinished / name, out / name)
            else:
                (out / name).unlink(missing_ok=True)
        os.replace(unfinished / DECODER, out / DECODER)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        (out / _LOCK).unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):  # where it is not empty
                out.rmdir()
        os.close(descriptor)
