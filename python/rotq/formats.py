# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weight formats: the presets, and declarations of one's own."""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from . import _native
from .error import RotqError


@dataclass(frozen=True)
class Plane:
    """A plane of codes in a blob."""

    run_bytes: int  #: of 32 weights
    offset: int  #: bytes from the start of the blob
    row_bytes: int


@dataclass(frozen=True)
class Layout:
    """Where the parts of a packed N x K weight lie in its blob."""

    n: int
    k: int
    total_bytes: int
    padded_length: int  #: weights of a row that are rotated and scaled
    stored_length: int  #: codes of a row
    planes: tuple[Plane, ...]
    scales_offset: int  #: bytes from the start of the blob
    segments: int  #: scaled segments of a row
    numbers_per_segment: int  #: f16 numbers: step, or step and offset
    rotation_block: int  #: 0: no rotation
    scale_group: int  #: 2^32: a row
    max_compressed_bytes: int  #: of what archives hold; 0: they hold the blob as it is
    streams: int  #: that decode alone, of what archives hold; 0: none

    @property
    def bits_per_weight(self) -> float:
        """Of the blob: everything counts."""
        return 8.0 * self.total_bytes / (self.n * self.k)

    @property
    def parts(self) -> list[tuple[int, int]]:
        """Where the rows of each plane and of the scales begin, and the size of
        one: bytes."""
        scales = (self.scales_offset, 2 * self.segments * self.numbers_per_segment)
        return [*((plane.offset, plane.row_bytes) for plane in self.planes), scales]


@dataclass(frozen=True)
class Format:
    """A format by its declaration: rotation, scale, codebook and coding."""

    name: str
    json: str = field(repr=False)

    @cached_property
    def declaration(self) -> dict:
        return json.loads(self.json)

    def layout(self, n: int, k: int) -> Layout:
        """The layout of an N x K weight."""
        native = _native.Layout()
        _native.call("rotqWeightLayout", self.json.encode(), n, k, ctypes.byref(native))
        return Layout(
            n=n,
            k=k,
            total_bytes=native.total_bytes,
            padded_length=native.padded_length,
            stored_length=native.stored_length,
            planes=tuple(
                Plane(plane.run_bytes, plane.offset, plane.row_bytes)
                for plane in native.planes[: native.num_planes]
            ),
            scales_offset=native.scales_offset,
            segments=native.segments,
            numbers_per_segment=native.numbers_per_segment,
            rotation_block=native.rotation_block,
            scale_group=native.scale_group,
            max_compressed_bytes=native.max_compressed_bytes,
            streams=native.streams,
        )

    def decodes_like(self, other: Format) -> bool:
        """Whether both formats decode the same bytes alike."""
        equal = ctypes.c_int32()
        _native.call(
            "rotqFormatsEqual", self.json.encode(), other.json.encode(), ctypes.byref(equal)
        )
        return bool(equal.value)


def names() -> list[str]:
    """The presets."""
    native = _native.library()
    return [native.rotqPresetName(i).decode() for i in range(native.rotqPresetCount())]


def lookup(text: str) -> Format:
    """The preset called `text`, or the format that `text` declares in JSON.
    Refuses what the codec does not know."""
    size = ctypes.c_int64()
    _native.call("rotqFormatToJson", text.encode(), None, 0, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value + 1)
    _native.call("rotqFormatToJson", text.encode(), buffer, len(buffer), ctypes.byref(size))
    declaration = buffer.value.decode()
    return Format(json.loads(declaration)["name"], declaration)


def given(text: str) -> Format:
    """As `lookup`, or the format that the file `text` declares where that ends in
    ".json": what a command line gives."""
    if not text.endswith(".json"):
        return lookup(text)
    try:
        return lookup(Path(text).read_text(encoding="utf-8"))
    except (RotqError, UnicodeDecodeError) as error:
        raise RotqError(f"{text}: {error}") from None
