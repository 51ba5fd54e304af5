# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The compiler's tools as functions.

They run as processes: MLIR stays out of this one, and what the tool says about
a module becomes the message of the exception. The tools are looked for in
$ROTQ_TOOLS, then in the build folder of the repository the package lies in.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .error import RotqError
from .runtime import Bundle


def tool(name: str) -> Path:
    """The path of the tool `name` ("quant-opt", "quant-translate", ...)."""
    chosen = os.environ.get("ROTQ_TOOLS")
    folder = Path(chosen) if chosen else Path(__file__).resolve().parents[2] / "build" / "bin"
    path = folder / name
    if not path.is_file():
        raise RotqError(f"{path} not found: run `make build`")
    return path


def run(name: str, *arguments: str | os.PathLike, input: str = "") -> str:
    """What the tool `name` prints for `input`."""
    result = subprocess.run(
        [tool(name), *arguments], input=input, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        message = result.stderr.strip() or f"exit code {result.returncode}"
        raise RotqError(f"{name}: {message}")
    return result.stdout


def optimize(mlir: str, *passes: str) -> str:
    """The module `mlir` after `passes`, flags of quant-opt."""
    return run("quant-opt", *passes, input=mlir)


def lower(
    mlir: str, chips: Sequence[str], format: str | None = None, *, operand: str = "int8"
) -> str:
    """The module with its kernels lowered for `chips` ("sm_80", "sm_90a", ...).
    Kernels are chosen for the first. With `format`, the preset's name, matmuls
    by constants and named parameters are quantized first. `operand` is what
    activations become: "int8" or "e4m3"."""
    if not chips:
        raise RotqError("expected a chip, such as sm_90a")
    quantize = [f"--rotq-quantize-weights=format={format}"] if format else []
    return optimize(mlir, *quantize, f"--rotq-to-nvptx=chip={','.join(chips)} operand={operand}")


def ptx(mlir: str, chip: str, format: str | None = None, *, operand: str = "int8") -> str:
    """The kernels of a module as PTX. Needs no CUDA toolkit."""
    return run("quant-translate", "--to=ptx", input=lower(mlir, [chip], format, operand=operand))


def compile(
    mlir: str,
    out: str | os.PathLike,
    chips: Sequence[str],
    format: str | None = None,
    *,
    operand: str = "int8",
) -> Bundle:
    """Compiles a module to the bundle `out` and opens it. Needs ptxas and
    fatbinary of a CUDA toolkit."""
    lowered = lower(mlir, chips, format, operand=operand)
    run("quant-translate", "--to=bundle", "-o", out, input=lowered)
    return Bundle(out)


class Resources(NamedTuple):
    """What a kernel takes of a multiprocessor."""

    registers: int  #: of a thread
    spill_bytes: int  #: that a thread stores for want of registers


def ptxas() -> Path | None:
    """NVIDIA's assembler, where it is installed."""
    folders = [
        Path(home) / "bin" for home in (os.environ.get("CUDA_HOME"), "/usr/local/cuda") if home
    ]
    found = shutil.which(
        "ptxas", path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, folders)])
    )
    return Path(found) if found else None


def resources(ptx: str, chip: str) -> dict[str, Resources]:
    """The resources of every kernel of `ptx`, by name. Needs ptxas."""
    program = ptxas()
    if program is None:
        raise RotqError("cannot find 'ptxas': install the CUDA toolkit or set CUDA_HOME")
    result = subprocess.run(
        [program, f"-arch={chip}", "-v", "-o", os.devnull, "-"],
        input=ptx,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise RotqError(f"ptxas: {result.stderr.strip()}")
    found = re.findall(
        r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers",
        result.stderr,
        re.DOTALL,
    )
    return {name: Resources(int(registers), int(spills)) for name, spills, registers in found}
