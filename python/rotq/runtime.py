# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launching compiled kernels on a GPU.

    bundle = Bundle("layer.rotqb")
    init(0)
    bundle["matmul"](x, w, y, m=1)

Pointers are `DeviceArray`s or anything that has `data_ptr()`, torch tensors
above all. Launches go to the stream torch has current where a torch tensor is
among the arguments, and to the default stream otherwise; a stream is asked for
at every launch and never kept, so launches can be captured into CUDA graphs
(call `Bundle.load` before the capture).
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from . import _native
from .error import RotqError


def device_count() -> int:
    """Number of CUDA devices; 0 where there is no driver."""
    count = ctypes.c_int32()
    if _native.library().rotqDeviceCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def device_name(ordinal: int = 0) -> str:
    name = ctypes.create_string_buffer(256)
    _native.call("rotqDeviceName", ordinal, name, len(name))
    return name.value.decode()


def compute_capability(ordinal: int = 0) -> tuple[int, int]:
    major, minor = ctypes.c_int32(), ctypes.c_int32()
    _native.call("rotqDeviceComputeCapability", ordinal, ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def init(ordinal: int = 0) -> None:
    """Makes device `ordinal` current on this thread. Not needed where torch
    already did."""
    _native.call("rotqDeviceInit", ordinal)


def synchronize() -> None:
    """Waits for everything the current device was given."""
    _native.call("rotqDeviceSynchronize")


class DeviceArray:
    """A contiguous array in the memory of the current device."""

    def __init__(self, shape: int | tuple[int, ...], dtype: Any = np.float32):
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.dtype = np.dtype(dtype)
        self.nbytes = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        pointer = ctypes.c_void_p()
        # An allocation of no bytes is an error of the driver.
        _native.call("rotqDeviceMalloc", max(self.nbytes, 1), ctypes.byref(pointer))
        self._pointer = pointer.value

    @classmethod
    def from_numpy(cls, array: np.ndarray) -> DeviceArray:
        result = cls(array.shape, array.dtype)
        result.upload(array)
        return result

    def data_ptr(self) -> int:
        return self._pointer

    def upload(self, array: np.ndarray) -> None:
        array = np.ascontiguousarray(array)
        if array.shape != self.shape or array.dtype != self.dtype:
            raise RotqError(
                f"expected {self.dtype} of shape {self.shape} but got {array.dtype} of "
                f"shape {array.shape}"
            )
        _native.call("rotqDeviceUpload", self._pointer, array.ctypes.data, self.nbytes)

    def numpy(self) -> np.ndarray:
        """A copy on the host, after what the default stream was given."""
        result = np.empty(self.shape, self.dtype)
        _native.call("rotqDeviceDownload", result.ctypes.data, self._pointer, self.nbytes)
        return result

    def fill_bytes(self, value: int) -> None:
        """Sets every byte to `value`."""
        _native.call("rotqDeviceMemset", self._pointer, value, self.nbytes)

    def __del__(self):
        pointer = getattr(self, "_pointer", None)
        if pointer:
            _native.library().rotqDeviceFree(pointer)


def _torch_device(arguments: tuple) -> Any:
    """The device of the torch tensors among the arguments; none: None."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    devices = {argument.device for argument in arguments if isinstance(argument, torch.Tensor)}
    if len(devices) > 1:
        raise RotqError(f"arguments on several devices: {', '.join(sorted(map(str, devices)))}")
    return devices.pop() if devices else None


class Kernel:
    """One kernel of a bundle; `info` is its entry in the manifest."""

    def __init__(self, bundle: Bundle, info: dict):
        self._bundle = bundle
        self.info = info
        self.name: str = info["name"]
        self._pointers = [p for p in info["params"] if p["kind"] == "pointer"]
        self._scalars = [p["name"] for p in info["params"] if p["kind"] != "pointer"]

    def __call__(self, *pointers: Any, stream: int | None = None, **scalars: int) -> None:
        """Launches: pointers in the order of the manifest, scalars by name.
        The call returns before the kernel ends."""
        if scalars.keys() != set(self._scalars):
            raise RotqError(
                f"kernel '{self.name}' takes the scalars {self._scalars} but got {sorted(scalars)}"
            )
        if len(pointers) != len(self._pointers):
            raise RotqError(
                f"kernel '{self.name}' takes {len(self._pointers)} pointers but got {len(pointers)}"
            )
        addresses = [self._address(p, info) for p, info in zip(pointers, self._pointers)]
        values = [scalars[name] for name in self._scalars]
        device = _torch_device(pointers)
        if device is None:
            self._launch(addresses, values, stream or 0)
            return
        torch = sys.modules["torch"]
        with torch.cuda.device(device):
            # A thread that has not called CUDA yet has no device current.
            init(device.index)
            if stream is None:
                stream = torch.cuda.current_stream().cuda_stream
            self._launch(addresses, values, stream)

    def _launch(self, addresses: list[int], values: list[int], stream: int) -> None:
        _native.call(
            "rotqBundleLaunch",
            self._bundle._handle,
            self.name.encode(),
            *((ctypes.c_void_p * len(addresses))(*addresses), len(addresses)),
            *((ctypes.c_int32 * len(values))(*values), len(values)),
            stream,
        )

    def _address(self, array: Any, info: dict) -> int:
        if isinstance(array, int):
            return array
        if not hasattr(array, "data_ptr"):
            raise RotqError(f"kernel '{self.name}': '{info['name']}' is not on a device")
        if hasattr(array, "is_contiguous") and not (array.is_cuda and array.is_contiguous()):
            raise RotqError(
                f"kernel '{self.name}': '{info['name']}' is not a contiguous CUDA tensor"
            )
        return array.data_ptr()


class Bundle(Mapping):
    """A compiled module: its kernels by name."""

    def __init__(self, path: str | os.PathLike):
        handle = ctypes.c_void_p()
        _native.call("rotqBundleOpen", os.fsencode(path), ctypes.byref(handle))
        self._handle = handle.value
        self.manifest: dict = json.loads(_native.library().rotqBundleManifest(self._handle))
        self._kernels = {info["name"]: Kernel(self, info) for info in self.manifest["kernels"]}

    def load(self) -> None:
        """Loads the bundle on the current device ahead of the first launch."""
        _native.call("rotqBundleLoad", self._handle)

    def close(self) -> None:
        """Unloads the bundle. None of its kernels may be running."""
        _native.library().rotqBundleClose(self._handle)
        self._handle = None

    def __getitem__(self, name: str) -> Kernel:
        return self._kernels[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kernels)

    def __len__(self) -> int:
        return len(self._kernels)

    def __del__(self):
        if getattr(self, "_handle", None):
            self.close()
