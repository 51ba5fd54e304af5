# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels that are chosen by default keep to their registers."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from rotq import RotqError, compiler, formats

CHIPS = ["sm_80", "sm_89", "sm_90a", "sm_120a"]
#: What is known of registers (lib/Target/KernelSpace.cpp) was found with these; what
#: others take is estimated from that.
MEASURED = ["rq3", "rq2", "rq4", "itq3_s", "int4_g128"]
#: K of the last ones is no multiple of a tile.
SHAPES = [(1024, 4096), (4096, 4096), (4096, 14336), (28672, 8192), (8192, 28672)]
SHAPES += [(4864, 896), (5000, 3000)]


#: Matmuls of one activation share a launch: q, k and v, gate and up.
GROUPS = [((4096, 1024, 1024), 4096), ((14336, 14336), 4096)]


MAPS = """
#mn = affine_map<(m, n) -> (m, n)>
#n = affine_map<(m, n) -> (n)>
"""


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


def gate_up(n, k):
    """SiLU of one product times another, which share a launch."""
    x, y, w = f"tensor<?x{k}xf16>", f"tensor<?x{n}xf16>", f"<{n}x{k}, #format>"
    weight = f"!rotq.weight{w}"
    return f"""
func.func @gate_up_{n}_{k}(%x: {x}, %w0: {weight}, %w1: {weight}) -> {y} {{
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f16
  %m = tensor.dim %x, %c0 : {x}
  %e = tensor.empty(%m) : {y}
  %0 = rotq.matmul ins(%x : {x}) weight(%w0 : {w}) outs(%e : {y}) -> {y}
  %1 = rotq.matmul ins(%x : {x}) weight(%w1 : {w}) outs(%e : {y}) -> {y}
  %2 = linalg.generic {{indexing_maps = [#mn, #mn, #mn], iterator_types = ["parallel", "parallel"]}}
      ins(%0, %1 : {y}, {y}) outs(%e : {y}) {{
  ^bb0(%gate: f16, %up: f16, %out: f16):
    %3 = arith.negf %gate : f16
    %4 = math.exp %3 : f16
    %5 = arith.addf %4, %one : f16
    %6 = arith.divf %gate, %5 : f16
    %7 = arith.mulf %6, %up : f16
    linalg.yield %7 : f16
  }} -> {y}
  return %2 : {y}
}}"""


def bias_residual(n, k):
    x, y, w = f"tensor<?x{k}xf16>", f"tensor<?x{n}xbf16>", f"<{n}x{k}, #format>"
    return f"""
func.func @bias_residual_{n}_{k}(%x: {x}, %w: !rotq.weight{w}, %b: tensor<{n}xbf16>, %r: {y}) -> {y} {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : {x}
  %e = tensor.empty(%m) : {y}
  %0 = rotq.matmul ins(%x : {x}) weight(%w : {w}) outs(%e : {y}) -> {y}
  %1 = linalg.generic {{indexing_maps = [#mn, #n, #mn, #mn], iterator_types = ["parallel", "parallel"]}}
      ins(%0, %b, %r : {y}, tensor<{n}xbf16>, {y}) outs(%e : {y}) {{
  ^bb0(%product: bf16, %bias: bf16, %residual: bf16, %out: bf16):
    %2 = arith.addf %product, %bias : bf16
    %3 = arith.addf %2, %residual : bf16
    linalg.yield %3 : bf16
  }} -> {y}
  return %1 : {y}
}}"""


def resources(name, chip, functions, operand="int8"):
    """Of the kernels of functions, which are compiled side by side."""
    try:
        compiler.tool("quant-opt")
    except RotqError as error:
        pytest.skip(str(error))
    if compiler.ptxas() is None:
        pytest.skip("ptxas is not installed")

    def compiled(part):
        module = f'{MAPS}#format = #rotq.format<"{name}">{"".join(part)}'
        return compiler.resources(compiler.ptx(module, chip, operand=operand), chip)

    count = min(os.cpu_count() or 1, len(functions))
    found = {}
    with ThreadPoolExecutor(count) as pool:
        for part in pool.map(compiled, (functions[i::count] for i in range(count))):
            found |= part
    assert any("matmul" in kernel for kernel in found)
    return found


def assert_nothing_spills(found, columns=None, bytes=0):
    """But so many bytes for tiles of wgmma of so many columns."""
    assert not {
        kernel: use.spill_bytes
        for kernel, use in found.items()
        if use.spill_bytes > (bytes if columns and columns in kernel else 0)
    }


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("name", MEASURED)
def test_nothing_spills(name, chip):
    functions = [function((n,), k) for n, k in SHAPES]
    functions += [function(ns, k) for ns, k in GROUPS]
    functions += [gate_up(ns[0], k) for ns, k in GROUPS if len(set(ns)) == 1]
    functions += [bias_residual(n, k) for n, k in SHAPES]
    found = resources(name, chip, functions)
    assert len({kernel.split("_e")[1] for kernel in found if "_e" in kernel}) == 2
    assert_nothing_spills(found)


#: Left out are frames that have fewer words than another, and lattices that differ from
#: another to encoders alone.
SIMPLER = {
    *("liftquant_w12", "liftquant_w16", "liftquant_w20"),
    *("hyperquant_rice_3", "hyperquant_rice_4"),
}
ESTIMATED = [name for name in formats.names() if name not in {*MEASURED, *SIMPLER}]


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("name", ESTIMATED)
def test_nothing_spills_by_estimate(name, chip):
    functions = [function((n,), k) for n, k in [(1024, 4096), (4096, 4096), (5000, 3000)]]
    functions += [gate_up(14336, 4096), bias_residual(28672, 8192), bias_residual(8192, 28672)]
    # Tiles of 256 columns that gather points are faster than narrower ones all the same.
    assert_nothing_spills(resources(name, chip, functions), "r16c256w", 200)


#: A table, several groups of a tile, points that are gathered and computed.
E4M3 = ["rq3", "int4_g128", "qam_w9", "hyperquant_3"]


@pytest.mark.parametrize("chip", ["sm_89", "sm_90a", "sm_120a"])
@pytest.mark.parametrize("name", E4M3)
def test_nothing_spills_in_e4m3(name, chip):
    functions = [function((n,), k) for n, k in [(4096, 4096), (5000, 3000)]]
    functions += [gate_up(14336, 4096), bias_residual(8192, 28672)]
    found = resources(name, chip, functions, operand="e4m3")
    assert any("mma_e4m3" in kernel for kernel in found)
    assert_nothing_spills(found)
