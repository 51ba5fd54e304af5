# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules compiled for this machine's CPU, and calls of their functions."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from . import compiler
from .error import RotqError

_DTYPES = {
    "f16": np.float16, "f32": np.float32, "f64": np.float64,
    "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64,
}  # fmt: skip


def _cache() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME")
    return (Path(folder) if folder else Path.home() / ".cache") / "rotq"


def _key(module: str, plan: str, options: str) -> str:
    """Names what a library is made of: the module, how it is compiled, by which
    tools, and for which CPU."""
    digest = hashlib.sha256()
    for part in (module, plan, options, platform.machine(), _cpu()):
        digest.update(part.encode())
        digest.update(b"\0")
    for name in ("quant-opt", "quant-translate"):
        status = compiler.tool(name).stat()
        digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _cpu() -> str:
    """Model and features of this machine's CPU; empty where Linux has no say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return "\n".join(sorted({x for x in lines if x.startswith(("model name", "flags"))}))


def build(
    module: str, out: str | os.PathLike, formats: Mapping[str, str] | None = None, options: str = ""
) -> None:
    """Compiles `module` (MLIR on tensors) to the shared library `out`, with its
    interface in `out`.json and a C header in `out`.h. Functions write their
    results to the arguments that they use as destinations.

    `formats` gives the declaration of the format of every packed parameter, by
    name; the others stay floats. `options` are those of rotq-to-host. Needs a C
    compiler to link with.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".build-") as folder:
        work = Path(folder)
        passes = [
            *_packing(formats, work),
            f"--rotq-to-host={f'features=host in-place {options}'.strip()}",
        ]
        lowered = work / "lowered.mlir"
        compiler.run("quant-opt", *passes, "-o", lowered, input=module)
        for kind, file in (("library", "so"), ("interface", "json"), ("header", "h")):
            path = work / f"module.{file}"
            compiler.run("quant-translate", f"--to={kind}", "--mcpu=host", "-o", path, lowered)
        # The library last: where it is, its interface is.
        os.replace(work / "module.h", f"{out}.h")
        os.replace(work / "module.json", f"{out}.json")
        os.replace(work / "module.so", out)


def _packing(formats: Mapping[str, str] | None, folder: Path) -> list[str]:
    """The pass that gives parameters their formats, by a file in `folder`."""
    if not formats:
        return []
    plan = folder / "plan.json"
    plan.write_text(json.dumps({name: json.loads(text) for name, text in formats.items()}))
    return [f"--rotq-quantize-weights=plan={plan}"]


def kernels(module: str, formats: Mapping[str, str]) -> list[dict]:
    """The kernels that `build` gives the products by packed parameters: a row for
    every function, weight and kernel, as `quant-translate --to=kernels` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        planned = compiler.run(
            "quant-opt", *_packing(formats, Path(folder)), "--rotq-plan-host", input=module
        )
        return json.loads(compiler.run("quant-translate", "--to=kernels", input=planned))


def cached(module: str, formats: Mapping[str, str] | None = None, options: str = "") -> Library:
    """The library of `build`, compiled where no earlier call left it in
    $XDG_CACHE_HOME/rotq (by default ~/.cache/rotq)."""
    plan = json.dumps(dict(formats or {}), sort_keys=True)
    path = _cache() / f"{_key(module, plan, options)}.so"
    if not path.is_file():
        build(module, path, formats, options)
    return Library(path)


def _descriptor(array: np.ndarray) -> ctypes.Array:
    """MLIR's descriptor of a contiguous array."""
    address = array.ctypes.data
    strides = [stride // array.itemsize for stride in array.strides]
    words = [address, address, 0, *array.shape, *strides]
    return (ctypes.c_int64 * len(words))(*words)


class Function:
    """A function of a library. Arrays that it writes to are written in place."""

    def __init__(self, name: str, entry, interface: dict):
        if interface["results"]:
            raise RotqError(f"{name}: expected a function whose results lie in its arguments")
        self.name = name
        self.entry = entry
        #: Dicts of "type", "shape" (None for sizes known at run time; absent of
        #: a scalar) and "parameter" (absent of other arguments).
        self.arguments: list[dict] = interface["arguments"]

    def bind(self, parameters: Mapping[str, np.ndarray]) -> Bound:
        """The function with its named parameters: an array for each, of the
        argument's type and shape."""
        return Bound(self, parameters)

    def check(self, index: int, array: np.ndarray) -> None:
        """Refuses an array that is not what argument `index` takes."""
        wanted = self.arguments[index]
        name = wanted.get("parameter", f"argument {index}")
        dtype = np.dtype(_DTYPES[wanted["type"]])
        fits = len(array.shape) == len(wanted["shape"]) and all(
            size is None or size == extent for size, extent in zip(wanted["shape"], array.shape)
        )
        if array.dtype != dtype or not fits or not array.flags.c_contiguous:
            shape = " x ".join("?" if size is None else str(size) for size in wanted["shape"])
            raise RotqError(
                f"{self.name}: expected {name} to be a contiguous {dtype} array of shape {shape} "
                f"but got {array.dtype} of shape {' x '.join(map(str, array.shape))}"
            )


class Bound:
    """A function whose parameters are given. Calls take the other arguments."""

    def __init__(self, function: Function, parameters: Mapping[str, np.ndarray]):
        self._function = function
        self._arrays = []  # What descriptors point to must stay.
        self._values: list = [None] * len(function.arguments)
        #: The arguments that calls give.
        self._open: list[int] = []
        for index, argument in enumerate(function.arguments):
            name = argument.get("parameter")
            if name is None:
                self._open.append(index)
                continue
            if name not in parameters:
                raise RotqError(f"{function.name}: no parameter '{name}'")
            array = parameters[name]
            function.check(index, array)
            self._arrays.append(array)
            self._values[index] = ctypes.byref(_descriptor(array))

    def __call__(self, *arguments: np.ndarray | int) -> None:
        """Runs the function: what it computes is in the arrays given."""
        given = iter(arguments)
        for index in self._open:
            argument = next(given)
            if "shape" in self._function.arguments[index]:
                self._function.check(index, argument)
                argument = ctypes.byref(_descriptor(argument))
            else:
                argument = ctypes.c_int64(argument)
            self._values[index] = argument
        self._function.entry(*self._values)


class Library:
    """A shared library that `build` made."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        try:
            self._library = ctypes.CDLL(str(self.path))
            self._interface = json.loads(Path(f"{path}.json").read_text())
        except OSError as error:
            raise RotqError(f"{path}: {error}") from None

    def __getitem__(self, name: str) -> Function:
        if name not in self._interface:
            known = ", ".join(self._interface)
            raise RotqError(f"{self.path}: no function '{name}', there are {known}")
        self._check_cpu(name)
        entry = getattr(self._library, f"_mlir_ciface_{name}")
        entry.restype = None
        return Function(name, entry, self._interface[name])

    def _check_cpu(self, name: str) -> None:
        """Refuses a function that this CPU would die of."""
        check = getattr(self._library, f"rotq_{name}_missing_feature")
        check.restype = ctypes.c_char_p
        feature = check()
        if feature is not None:
            raise RotqError(
                f"{self.path}: compiled for a CPU with {feature.decode()}, which this one lacks: "
                "compile it on this machine"
            )
