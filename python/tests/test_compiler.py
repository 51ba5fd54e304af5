# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import pytest

from rotq import RotqError, compiler


@pytest.fixture
def quant_opt():
    try:
        compiler.tool("quant-opt")
    except RotqError as error:
        pytest.skip(str(error))


def test_optimize(quant_opt):
    module = "func.func @f(%x: i32) -> i32 {\n  %y = arith.addi %x, %x : i32\n  return %x : i32\n}"
    assert "arith.addi" in compiler.optimize(module)
    assert "arith.addi" not in compiler.optimize(module, "--canonicalize")


def test_diagnostics_become_the_message(quant_opt):
    with pytest.raises(RotqError, match="quant-opt: .*<stdin>.*error: "):
        compiler.optimize("func.func @f() { return 1 }")


def test_missing_tool(monkeypatch, tmp_path):
    monkeypatch.setenv("ROTQ_TOOLS", str(tmp_path))
    with pytest.raises(RotqError, match="quant-opt not found"):
        compiler.tool("quant-opt")
    (tmp_path / "quant-opt").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "quant-opt").chmod(0o755)
    with pytest.raises(RotqError, match="exit code 3"):
        compiler.optimize("")


@pytest.fixture
def recorded(monkeypatch, tmp_path):
    """Tools that write their arguments, and pass their input on."""
    log = tmp_path / "log"
    for name in ("quant-opt", "quant-translate"):
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\necho {name} "$@" >> {log}\ncat\n')
        path.chmod(0o755)
    monkeypatch.setenv("ROTQ_TOOLS", str(tmp_path))
    return log


def test_tools_follow_each_other(recorded, bundle_path):
    assert compiler.ptx("module", "sm_80") == "module"
    bundle = compiler.compile("module", bundle_path, ["sm_90a", "sm_80"], format="rq3")
    assert list(bundle) == ["scale"]
    assert recorded.read_text().splitlines() == [
        "quant-opt --rotq-to-nvptx=chip=sm_80 operand=int8",
        "quant-translate --to=ptx",
        "quant-opt --rotq-quantize-weights=format=rq3 --rotq-to-nvptx=chip=sm_90a,sm_80 operand=int8",
        f"quant-translate --to=bundle -o {bundle_path}",
    ]
    with pytest.raises(RotqError, match="expected a chip"):
        compiler.lower("module", [])
