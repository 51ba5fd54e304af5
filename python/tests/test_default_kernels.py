# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels that are chosen by default keep to their registers."""

import pytest

from rotq import RotqError, compiler, formats

CHIPS = ["sm_80", "sm_89", "sm_90a", "sm_120a"]
SHAPES = [(1024, 4096), (4096, 4096), (4096, 14336), (28672, 8192), (8192, 28672)]


def function(name, n, k):
    x, y, weight = f"tensor<?x{k}xf16>", f"tensor<?x{n}xf16>", f"<{n}x{k}, #format>"
    return f"""
func.func @f_{n}_{k}(%x: {x}, %w: !rotq.weight{weight}) -> {y} {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : {x}
  %e = tensor.empty(%m) : {y}
  %y = rotq.matmul ins(%x : {x}) weight(%w : {weight}) outs(%e : {y}) -> {y}
  return %y : {y}
}}"""


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("name", formats.names())
def test_nothing_spills(name, chip):
    try:
        compiler.tool("quant-opt")
    except RotqError as error:
        pytest.skip(str(error))
    if compiler.ptxas() is None:
        pytest.skip("ptxas is not installed")
    functions = "".join(function(name, n, k) for n, k in SHAPES)
    module = f'#format = #rotq.format<"{name}">{functions}'
    found = compiler.resources(compiler.ptx(module, chip), chip)
    assert any("matmul" in kernel for kernel in found)
    spilling = {kernel: use.spill_bytes for kernel, use in found.items() if use.spill_bytes}
    assert not spilling
