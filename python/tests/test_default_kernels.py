# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels that are chosen by default keep to their registers."""

import pytest

from rotq import RotqError, compiler, formats

CHIPS = ["sm_80", "sm_89", "sm_90a", "sm_120a"]
#: K of the last ones is no multiple of a tile.
SHAPES = [(1024, 4096), (4096, 4096), (4096, 14336), (28672, 8192), (8192, 28672)]
SHAPES += [(4864, 896), (5000, 3000)]


#: Matmuls of one activation share a launch: q, k and v, gate and up.
GROUPS = [((4096, 1024, 1024), 4096), ((14336, 14336), 4096)]


def function(ns, k):
    x, ys = f"tensor<?x{k}xf16>", [f"tensor<?x{n}xf16>" for n in ns]
    weights = ", ".join(f"%w{i}: !rotq.weight<{n}x{k}, #format>" for i, n in enumerate(ns))
    matmuls = "".join(
        f"""
  %e{i} = tensor.empty(%m) : {y}
  %y{i} = rotq.matmul ins(%x : {x}) weight(%w{i} : <{n}x{k}, #format>) outs(%e{i} : {y}) -> {y}"""
        for i, (n, y) in enumerate(zip(ns, ys))
    )
    results, types = ", ".join(f"%y{i}" for i in range(len(ns))), ", ".join(ys)
    return f"""
func.func @f_{"_".join(map(str, ns))}_{k}(%x: {x}, {weights}) -> ({types}) {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : {x}{matmuls}
  return {results} : {types}
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
    functions = "".join(function((n,), k) for n, k in SHAPES)
    functions += "".join(function(ns, k) for ns, k in GROUPS)
    module = f'#format = #rotq.format<"{name}">{functions}'
    found = compiler.resources(compiler.ptx(module, chip), chip)
    assert any("matmul" in kernel for kernel in found)
    spilling = {kernel: use.spill_bytes for kernel, use in found.items() if use.spill_bytes}
    assert not spilling
