# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import write_safetensors

from rotq import formats
from rotq.cli import main


@pytest.fixture
def model(tmp_path, matrix):
    name = "model.layers.0.mlp.up_proj.weight"
    return write_safetensors(
        tmp_path / "dense.safetensors", {name: ("F32", matrix.shape, matrix.tobytes())}
    )


def test_formats(capsys):
    assert main(["formats"]) == 0
    out = capsys.readouterr().out
    for name in formats.names():
        assert name in out


def test_quantize_inspect_dequantize(model, tmp_path, capsys):
    packed, dense = str(tmp_path / "packed"), str(tmp_path / "plain")
    assert main(["quantize", str(model), packed, "--format", "rq4", "--measure"]) == 0
    assert "relative squared error" in capsys.readouterr().out
    assert main(["inspect", packed]) == 0
    out = capsys.readouterr().out
    assert "up_proj.weight: 6 x 576, rq4" in out and "3456 packed weights" in out
    assert main(["dequantize", packed, dense, "--dtype", "f32"]) == 0
    assert Path(dense).stat().st_size > 4 * 6 * 576


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["quantize", "MODEL", "OUT", "--format", "none"], ["none", "rq3"]),
        (["quantize", "MODEL", "OUT", "--include", "nothing"], ["no tensor to quantize"]),
        (["quantize", "absent", "OUT"], ["absent"]),
        (["quantize", "MODEL", "no/such/folder/out"], ["no/such/folder/out"]),
        (["inspect", "MODEL"], ["dense.safetensors", "not an archive"]),
        (["inspect", "absent"], ["absent"]),
        (["dequantize", "MODEL", "OUT"], ["not an archive"]),
    ],
)
def test_errors_are_one_line(model, tmp_path, capsys, arguments, words):
    names = {"MODEL": str(model), "OUT": str(tmp_path / "out")}
    assert main([names.get(argument, argument) for argument in arguments]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    for word in words:
        assert word in error
    assert not (tmp_path / "out").exists()


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "rotq", *arguments],
        cwd=Path(__file__).parents[1],
        env=os.environ | environment,
        capture_output=True,
        check=False,
        text=True,
    )


def test_no_traceback(archive_path):
    archive_path.write_bytes(archive_path.read_bytes()[:-5])
    result = run("inspect", str(archive_path))
    assert result.returncode == 1
    assert str(archive_path) in result.stderr
    assert "Traceback" not in result.stderr


def test_missing_library():
    result = run("formats", ROTQ_LIBRARY="/nowhere/librotq.so")
    assert result.returncode == 1
    assert "/nowhere/librotq.so" in result.stderr and "Traceback" not in result.stderr
    result = run("formats", ROTQ_LIBRARY=__file__)
    assert result.returncode == 1 and "cannot load" in result.stderr


def test_nan_weights(tmp_path, matrix, capsys):
    matrix[2, 3] = np.nan
    name = "blk.0.ffn_up.weight"
    path = write_safetensors(
        tmp_path / "nan.safetensors", {name: ("F32", matrix.shape, matrix.tobytes())}
    )
    assert main(["quantize", str(path), str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert f"nan.safetensors: tensor '{name}'" in error
    assert not (tmp_path / "out").exists()


def test_a_model_is_not_replaced(model, archive_path, capsys):
    for path, command in ((model, "quantize"), (archive_path, "dequantize")):
        before = path.read_bytes()
        assert main([command, str(path), str(path)]) == 1
        assert "expected another file than the one that is read" in capsys.readouterr().err
        assert path.read_bytes() == before


def test_threads_are_counted(model, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["quantize", str(model), str(tmp_path / "out"), "--threads", "-3"])
    assert "--threads: invalid" in capsys.readouterr().err
