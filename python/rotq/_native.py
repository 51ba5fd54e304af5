# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""librotq.so through ctypes.

Deliberately no extension module: one library without a wheel serves every
Python there is on a machine, and the machines with GPUs have numpy and torch
but neither LLVM nor a compiler. The library is looked for at $ROTQ_LIBRARY,
then inside the package, then in the build folder of the repository the package
lies in.
"""

from __future__ import annotations

import ctypes
import functools
import os
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_uint8, c_uint32, c_void_p
from pathlib import Path

from .error import RotqError

MAX_PLANES = 4


class Plane(ctypes.Structure):
    _fields_ = [("run_bytes", c_int64), ("offset", c_int64), ("row_bytes", c_int64)]


class Layout(ctypes.Structure):
    """RotqLayout: where the parts of a packed weight lie in its blob."""

    _fields_ = [
        ("total_bytes", c_int64),
        ("padded_length", c_int64),
        ("stored_length", c_int64),
        ("num_planes", c_int64),
        ("planes", Plane * MAX_PLANES),
        ("scales_offset", c_int64),
        ("segments", c_int64),
        ("numbers_per_segment", c_int64),
        ("numbers_per_row", c_int64),
        ("rotation_block", c_int64),
        ("scale_group", c_int64),
        ("max_compressed_bytes", c_int64),
        ("streams", c_int64),
    ]


#: RotqProgress: rows finished since the last call.
Progress = ctypes.CFUNCTYPE(None, c_int64, c_void_p)

_BLOB = [c_char_p, c_void_p, c_int64, c_int64, c_int64]  # format, blob, bytes, n, k
_INT64_OUT = POINTER(c_int64)
_INT32_OUT = POINTER(c_int32)

#: Arguments of the functions that return 0 on success.
_FUNCTIONS = {
    "rotqFormatToJson": [c_char_p, c_char_p, c_int64, _INT64_OUT],
    "rotqFormatsEqual": [c_char_p, c_char_p, _INT32_OUT],
    "rotqWeightLayout": [c_char_p, c_int64, c_int64, POINTER(Layout)],
    "rotqSegments": [c_int64, c_int64, c_void_p, c_void_p, c_int64, _INT64_OUT],
    "rotqEncodeWithFeedback": [
        *(c_char_p, c_void_p, c_int64, c_int64, c_int64, c_void_p, c_int64),
        *(c_void_p, c_int64, c_uint32, Progress, c_void_p),
    ],
    "rotqDecode": [*_BLOB, c_void_p, c_int64, c_uint32],
    "rotqDecodeRows": [*_BLOB, c_void_p, c_int64, c_void_p, c_int64],
    "rotqDecodePoints": [*_BLOB, c_void_p, c_int64],
    "rotqDecodeRotated": [*_BLOB, c_void_p, c_int64],
    "rotqCompress": [*_BLOB, c_void_p, c_int64, _INT64_OUT, c_uint32],
    "rotqDecompress": [*_BLOB, c_void_p, c_int64, c_uint32],
    "rotqTiledBytes": [c_char_p, c_int64, c_int64, _INT64_OUT],
    "rotqRepack": [*_BLOB, c_void_p, c_int64],
    "rotqRotate": [c_char_p, c_void_p, c_int64, c_int64, c_int64, c_int32],
    "rotqQuantizeActivation": [
        *(c_void_p, c_int64, c_int64, c_int64, c_int64, c_int32),
        *(c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_int64),
    ],
    "rotqActivationByRows": [
        *(c_char_p, c_int64, c_int64, c_int64),
        *(c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_int64),
    ],
    "rotqDeviceCount": [_INT32_OUT],
    "rotqDeviceName": [c_int32, c_char_p, c_int64],
    "rotqDeviceComputeCapability": [c_int32, _INT32_OUT, _INT32_OUT],
    "rotqDeviceInit": [c_int32],
    "rotqDeviceMalloc": [c_int64, POINTER(c_void_p)],
    "rotqDeviceFree": [c_void_p],
    "rotqDeviceUpload": [c_void_p, c_void_p, c_int64],
    "rotqDeviceDownload": [c_void_p, c_void_p, c_int64],
    "rotqDeviceMemset": [c_void_p, c_uint8, c_int64],
    "rotqDeviceSynchronize": [],
    "rotqStreamSynchronize": [c_void_p],
    "rotqBundleOpen": [c_char_p, POINTER(c_void_p)],
    "rotqBundleLoad": [c_void_p],
    "rotqBundleLaunch": [c_void_p, c_char_p, c_void_p, c_int64, c_void_p, c_int64, c_void_p],
}


def _find() -> Path:
    package = Path(__file__).resolve().parent
    chosen = os.environ.get("ROTQ_LIBRARY")
    places = [
        *([Path(chosen)] if chosen else []),
        package / "librotq.so",
        package.parents[1] / "build" / "lib" / "librotq.so",
    ]
    for place in places[:1] if chosen else places:
        if place.is_file():
            return place
    looked = ", ".join(str(place) for place in (places[:1] if chosen else places))
    raise RotqError(f"librotq.so not found (looked at {looked}): run `make build`")


@functools.cache
def library() -> ctypes.CDLL:
    """The library, loaded once, its functions typed."""
    path = _find()
    try:
        result = ctypes.CDLL(str(path))
    except OSError as error:
        raise RotqError(f"cannot load {path}: {error}") from None
    for name, arguments in _FUNCTIONS.items():
        function = getattr(result, name)
        function.argtypes = arguments
        function.restype = ctypes.c_int
    result.rotqLastError.restype = c_char_p
    result.rotqPresetCount.restype = c_int64
    result.rotqPresetName.argtypes = [c_int64]
    result.rotqPresetName.restype = c_char_p
    result.rotqBundleClose.argtypes = [c_void_p]
    result.rotqBundleClose.restype = None
    result.rotqBundleManifest.argtypes = [c_void_p]
    result.rotqBundleManifest.restype = c_char_p
    return result


def call(name: str, *arguments) -> None:
    """Calls a function of the library; its failure is an exception."""
    native = library()
    if getattr(native, name)(*arguments) != 0:
        raise RotqError(native.rotqLastError().decode(errors="replace"))
