# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a published model to a model directory."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
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
    names and, where it is one of safetensors', their type. decoder.json comes
    last: a directory without it is no model."""
    weights = checkpoint.open(source)
    description = decoder.describe(weights)
    text = tokenizer.from_source(weights)
    out = Path(out)
    if out.exists() and (not out.is_dir() or out.samefile(source)):
        raise RotqError(f"{out}: expected a directory for the model, and not the one that is read")
    with ExitStack() as stack:
        if not out.exists():
            out.mkdir(parents=True)
            stack.callback(_remove_if_empty, out)
        # Files of two models must never be taken for one.
        (out / model_dir.DECODER).unlink(missing_ok=True)

        def temporary(name: str) -> Path:
            path = out / f"{name}.tmp{os.getpid()}"
            stack.callback(path.unlink, missing_ok=True)
            return path

        described = temporary(model_dir.DECODER)
        described.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        module = temporary(model_dir.MODULE)
        compiler.run("quant-import", described, "-o", module)
        if not module.is_file():
            raise RotqError(f"{module}: quant-import wrote no module")
        vocabulary = temporary(model_dir.TOKENIZER)
        vocabulary.write_text(text, encoding="utf-8")
        _write_weights(weights, out / model_dir.WEIGHTS, description, progress)
        os.replace(module, out / model_dir.MODULE)
        os.replace(vocabulary, out / model_dir.TOKENIZER)
        os.replace(described, out / model_dir.DECODER)
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
            exact = entry.dtype == source.dtype(entry.name)
            writer.write(entry.name, (source.raw if exact else source.float32)(entry.name))
            bar.update(entry.nbytes)


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
