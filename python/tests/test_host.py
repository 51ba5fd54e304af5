# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import platform

import numpy as np
import pytest

from rotq import RotqError, compiler, host

NEGATE = """
func.func @negate(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %0 = linalg.negf ins(%x : tensor<?xf32>) outs(%y : tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
"""


def test_a_function(tmp_path):
    host.build(NEGATE, tmp_path / "negate.so")
    x, y = np.arange(5, dtype=np.float32), np.empty(5, np.float32)
    host.Library(tmp_path / "negate.so")["negate"].bind({})(x, y)
    np.testing.assert_array_equal(y, -x)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="instruction sets of x86")
def test_a_library_of_another_cpu(tmp_path):
    """XOP is in no CPU since 2019."""
    path = tmp_path / "negate.so"
    lowered = compiler.optimize(NEGATE, "--rotq-to-host=in-place features=+xop")
    for kind, file in (("library", path), ("interface", f"{path}.json")):
        compiler.run("quant-translate", f"--to={kind}", "-o", file, input=lowered)
    with pytest.raises(RotqError, match=r"negate.so: .* with (sse4a|xop), which this one lacks"):
        host.Library(path)["negate"]
