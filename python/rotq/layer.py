# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Linear layers as a module in upstream MLIR, compiled and run on the host."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import compiler
from .archive import PackedWeight
from .formats import Format


@dataclass(frozen=True)
class Linear:
    """y = x W^T with W `n` x `k`, of the input called `input`."""

    name: str
    input: str
    n: int
    k: int


def module(linears: Sequence[Linear], function: str = "layer", element: str = "f32") -> str:
    """The layers as one function on tensors in the linalg dialect: inputs
    first (any number of rows), then the weights as named parameters; a result
    for every layer, in order."""
    inputs = {linear.input: linear.k for linear in linears}
    arguments = [f"%{name}: tensor<?x{k}x{element}>" for name, k in inputs.items()]
    arguments += [
        f'%w{i}: tensor<{linear.n}x{linear.k}xf32> {{rotq.parameter = "{linear.name}"}}'
        for i, linear in enumerate(linears)
    ]
    results = [f"tensor<?x{linear.n}xf32>" for linear in linears]
    body = []
    for i, linear in enumerate(linears):
        x, w, y = (
            f"tensor<?x{linear.k}x{element}>",
            f"tensor<{linear.n}x{linear.k}xf32>",
            results[i],
        )
        body += [
            f"%m{i} = tensor.dim %{linear.input}, %c0 : {x}",
            f"%e{i} = tensor.empty(%m{i}) : {y}",
            f"%z{i} = linalg.fill ins(%zero : f32) outs(%e{i} : {y}) -> {y}",
            f"%y{i} = linalg.matmul indexing_maps = [#x, #w, #y]",
            f"  ins(%{linear.input}, %w{i} : {x}, {w}) outs(%z{i} : {y}) -> {y}",
        ]
    values = ", ".join(f"%y{i}" for i in range(len(linears)))
    lines = [
        "#x = affine_map<(m, n, k) -> (m, k)>",
        "#w = affine_map<(m, n, k) -> (n, k)>",
        "#y = affine_map<(m, n, k) -> (m, n)>",
        f"func.func @{function}({', '.join(arguments)}) -> ({', '.join(results)}) {{",
        "  %c0 = arith.constant 0 : index",
        "  %zero = arith.constant 0.0 : f32",
        *(f"  {line}" for line in body),
        f"  return {values} : {', '.join(results)}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def decompression(format: Format, n: int, k: int, function: str = "decompress") -> str:
    """A function that makes an `n` x `k` weight in the preset `format` of the bytes that
    archives hold of it, for a GPU (`rotq.decompress`)."""
    damage = f"tensor<{format.layout(n, k).streams}xi8>"
    weight = f'!rotq.weight<{n}x{k}, #rotq.format<"{format.name}">>'
    return f"""
func.func @{function}(%bytes: tensor<?xi8>, %damage: {damage}) -> ({damage}, {weight}) {{
  %d, %w = rotq.decompress ins(%bytes : tensor<?xi8>) outs(%damage : {damage})
    -> {damage}, {weight}
  return %d, %w : {damage}, {weight}
}}
"""


def run(
    linears: Sequence[Linear],
    inputs: dict[str, np.ndarray],
    weights: Sequence[PackedWeight],
    *,
    reference: bool = False,
    options: str = "",
) -> list[np.ndarray]:
    """The results of the layers on this machine: through kernels or, with
    `reference`, through linalg. `options` are those of rotq-to-host."""
    text = compiler.optimize(
        module(linears), f"--rotq-quantize-weights=format={weights[0].format.name}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        arrays = [inputs[name] for name in dict.fromkeys(linear.input for linear in linears)]
        arrays += [weight.blob for weight in weights]
        arguments = []
        for i, array in enumerate(arrays):
            np.save(path / f"arg{i}.npy", np.ascontiguousarray(array))
            arguments.append(f"--arg={path}/arg{i}.npy")
        outputs = [path / f"out{i}.npy" for i in range(len(linears))]
        compiler.run(
            "quant-run",
            *("-", "--entry=layer", f"--options={options}", *arguments),
            *(f"--out={output}" for output in outputs),
            *(["--reference"] if reference else []),
            input=text,
        )
        return [np.load(output) for output in outputs]
