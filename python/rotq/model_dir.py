# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Model directories as docs/models.md defines them, read back and checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from . import archive, checkpoint, tokenizer
from . import description as descriptions
from .archive import Archive
from .checkpoint import Checkpoint
from .error import RotqError

DECODER = "decoder.json"
MODULE = "model.mlir"
WEIGHTS = "weights.safetensors"
TOKENIZER = tokenizer.FILE


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

    def tokenizer(self) -> tokenizer.Tokenizer:
        return tokenizer.load(self.path)


def open_model(path: str | os.PathLike) -> Model:
    """The model directory at `path`. Raises RotqError where a file is missing
    or not what docs/models.md says, and where the tensors are others than those
    of the description."""
    path = Path(path)
    if not path.is_dir():
        raise RotqError(f"{path}: expected a model directory, as `rotq import` writes it")
    if not (path / DECODER).exists():
        raise RotqError(
            f"{path}: no {DECODER}: not a model directory, or one whose import did not end"
        )
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
