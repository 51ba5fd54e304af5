# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a published model to a model directory."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tqdm import tqdm

from . import checkpoint, compiler, decoder, model_dir, tokenizer
from .checkpoint import Checkpoint
from .description import tensors
from .error import RotqError
from .safetensors_writer import Entry, Writer


def import_model(
    source: str | os.PathLike, out: str | os.PathLike, *, progress: bool = True
) -> dict:
    """Writes the model at `source`, a Hugging Face directory or a GGUF file, to
    the model directory `out` and returns its description. Tensors keep their
    names and, where it is one of safetensors', their type."""
    weights = checkpoint.open(source)
    description = decoder.describe(weights)
    text = tokenizer.from_source(weights)
    with model_dir.replace(out, source) as folder:
        described = folder / model_dir.DECODER
        described.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        module = folder / model_dir.MODULE
        compiler.run("quant-import", described, "-o", module)
        if not module.is_file():
            raise RotqError(f"{module}: quant-import wrote no module")
        (folder / model_dir.TOKENIZER).write_text(text, encoding="utf-8")
        _write_weights(weights, folder / model_dir.WEIGHTS, description, progress)
    return description


def _write_weights(source: Checkpoint, path: Path, description: dict, progress: bool) -> None:
    entries = [
        Entry(name, source.exact_dtype(name), shape) for name, shape in tensors(description).items()
    ]
    bar = tqdm(
        total=sum(entry.nbytes for entry in entries),
        desc="import",
        unit="B",
        unit_scale=True,
        dynamic_ncols=True,
        disable=not progress,
    )
    with bar, Writer(path, entries, {}) as writer:
        for entry in writer.entries:
            read = source.raw if entry.dtype == source.dtype(entry.name) else source.float32
            writer.write(entry.name, (read(entry.name, rows) for rows in source.chunks(entry.name)))
            bar.update(entry.nbytes)
