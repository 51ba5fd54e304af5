# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import threading

import numpy as np
import pytest

from rotq import RotqError, runtime


@pytest.fixture
def device():
    if runtime.device_count() == 0:
        pytest.skip("no CUDA device")
    runtime.init(0)


def test_bundle_is_a_mapping(bundle_path):
    bundle = runtime.Bundle(bundle_path)
    assert list(bundle) == ["scale"] and len(bundle) == 1
    assert bundle.manifest["targets"] == ["sm_80"]
    assert bundle["scale"].info["block"] == [128, 1, 1]
    with pytest.raises(KeyError):
        bundle["other"]


def test_arguments_are_checked_without_a_device(bundle_path):
    kernel = runtime.Bundle(bundle_path)["scale"]
    with pytest.raises(RotqError, match="2 pointers but got 1"):
        kernel(1, m=1, factor=2)
    with pytest.raises(RotqError, match="scalars"):
        kernel(1, 2, m=1)
    with pytest.raises(RotqError, match="'y' is not on a device"):
        kernel(1, np.zeros(1), m=1, factor=2)
    with pytest.raises(RotqError, match="'x' is null"):
        kernel(0, 1, m=1, factor=2)
    with pytest.raises(RotqError, match="takes m from 0 up but got -1"):
        kernel(1, 1, m=-1, factor=2)
    kernel(0, 0, m=0, factor=2)


def test_closed_bundle(bundle_path):
    bundle = runtime.Bundle(bundle_path)
    bundle.close()
    with pytest.raises(RotqError, match="closed"):
        bundle["scale"](1, 1, m=1, factor=1)


def test_broken_bundles(bundle_path):
    data = bundle_path.read_bytes()
    for size in (0, 7, 8, 100, len(data) - 1):
        bundle_path.write_bytes(data[:size])
        with pytest.raises(RotqError, match="scale.rotqb"):
            runtime.Bundle(bundle_path)
    with pytest.raises(RotqError, match="absent.rotqb"):
        runtime.Bundle("absent.rotqb")


def test_missing_driver():
    if runtime.device_count():
        pytest.skip("there is a driver")
    for function in (runtime.init, runtime.device_name, runtime.compute_capability):
        with pytest.raises(RotqError):
            function(0)


def test_launch(bundle_path, device):
    assert runtime.device_name(0) and runtime.compute_capability(0) >= (7, 0)
    x = np.arange(300, dtype=np.int32)
    source, target = runtime.DeviceArray.from_numpy(x), runtime.DeviceArray(300, np.int32)
    target.fill_bytes(0)
    bundle = runtime.Bundle(bundle_path)
    bundle.load()
    bundle["scale"](source, target, m=299, factor=3)
    runtime.synchronize()
    np.testing.assert_array_equal(target.numpy()[:299], 3 * x[:299])
    assert target.numpy()[299] == 0


def test_launch_on_torch(bundle_path, device):
    torch = pytest.importorskip("torch")
    x = torch.arange(300, dtype=torch.int32, device="cuda")
    y = torch.zeros_like(x)
    kernel = runtime.Bundle(bundle_path)["scale"]
    with pytest.raises(RotqError, match="contiguous"):
        kernel(x[::2], y, m=150, factor=5)
    with pytest.raises(RotqError, match="contiguous"):
        kernel(x.cpu(), y, m=150, factor=5)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        kernel(x, y, m=300, factor=5)
        stream.synchronize()
    assert torch.equal(y, 5 * x)

    y.zero_()
    worker = threading.Thread(target=lambda: kernel(x, y, m=300, factor=6))
    worker.start()
    worker.join()
    torch.cuda.synchronize()
    assert torch.equal(y, 6 * x)

    graph = torch.cuda.CUDAGraph()
    y.zero_()
    with torch.cuda.graph(graph):
        kernel(x, y, m=300, factor=7)
    assert not y.any()
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(y, 7 * x)
