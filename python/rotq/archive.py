# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packed models: safetensors files whose weights are in the canonical layout.

A packed weight is one U8 tensor that holds the bytes of its layout, compressed
where the coding of its format does that (`codec.compress`); every other tensor
is stored as it is. The metadata says which is which:

    rotq.archive  "1"
    rotq.weights  {"<tensor>": {"shape": [N, K], "format": "<name>"}, ...}
    rotq.formats  {"<name>": {declaration, rotation included}, ...}

A model whose rotation is applied by half is silently ruined. So a declaration
must state its rotation, and an archive that does not, or that states one this
library does not know, is refused.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import codec, formats
from .error import RotqError
from .json_text import parse_object
from .safetensors_writer import DTYPE_BYTES, Entry, Writer

VERSION = "1"


@dataclass(frozen=True)
class PackedWeight:
    """A weight of `shape` (N, K) as the bytes of `format`'s layout."""

    shape: tuple[int, int]
    format: formats.Format
    blob: np.ndarray

    def decode(self) -> np.ndarray:
        """The weight as float32, rotation undone."""
        return codec.decode(self.format, self.blob, *self.shape)


class Archive(Mapping):
    """The tensors of an archive by name, each read when it is asked for:
    `PackedWeight` where it is packed, an array where it is not."""

    def __init__(self, path: str | os.PathLike):
        import ml_dtypes  # noqa: F401  (teaches numpy bfloat16)
        from safetensors import SafetensorError, safe_open

        self._error = SafetensorError
        self.path = Path(path)
        try:
            self._file = safe_open(self.path, framework="np")
        except FileNotFoundError:
            raise RotqError(f"{self.path}: no such file") from None
        except (SafetensorError, OSError) as error:
            raise RotqError(f"{self.path}: {error}") from None
        self._names = dict.fromkeys(self._file.offset_keys())
        metadata = self._file.metadata() or {}
        version = metadata.get("rotq.archive")
        if version is None:
            raise RotqError(f"{self.path}: not an archive: no 'rotq.archive' in the metadata")
        if version != VERSION:
            raise RotqError(f"{self.path}: archive version '{version}', expected '{VERSION}'")
        #: The formats used, by name.
        self.formats = self._read_formats(self._object(metadata, "rotq.formats"))
        #: (N, K) and format of every packed weight.
        self.weights = self._read_weights(self._object(metadata, "rotq.weights"))

    def _object(self, metadata: Mapping[str, str], key: str) -> dict:
        if key not in metadata:
            raise RotqError(f"{self.path}: no '{key}' in the metadata")
        return parse_object(metadata[key], f"{self.path}: '{key}' is")

    def _read_formats(self, declarations: dict) -> dict[str, formats.Format]:
        result = {}
        for name, declaration in declarations.items():
            where = f"{self.path}: format '{name}'"
            if not isinstance(declaration, dict):
                raise RotqError(f"{where}: not a JSON object")
            if "rotation" not in declaration:
                raise RotqError(f"{where}: the declaration does not state its rotation")
            try:
                result[name] = formats.lookup(json.dumps(declaration))
            except RotqError as error:
                raise RotqError(f"{where}: {error}") from None
        return result

    def _read_weights(self, weights: dict) -> dict[str, tuple[tuple[int, int], formats.Format]]:
        result = {}
        for name, entry in weights.items():
            where = f"{self.path}: tensor '{name}'"
            if name not in self._names:
                raise RotqError(f"{where}: packed, but not in the file")
            shape = entry.get("shape") if isinstance(entry, dict) else None
            if (
                not isinstance(shape, list)
                or len(shape) != 2
                or not all(type(extent) is int and 0 < extent < 2**31 for extent in shape)
            ):
                raise RotqError(f"{where}: expected a shape of two positive numbers")
            format_name = entry.get("format")
            if not isinstance(format_name, str) or format_name not in self.formats:
                raise RotqError(f"{where}: format '{format_name}' is not declared")
            format = self.formats[format_name]
            stored = self._file.get_slice(name)
            layout, got = format.layout(*shape), stored.get_shape()
            bound = layout.max_compressed_bytes
            fits = len(got) == 1 and got[0] <= bound if bound else got == [layout.total_bytes]
            if stored.get_dtype() != "U8" or not fits:
                expected = f"at most {bound}" if bound else layout.total_bytes
                raise RotqError(
                    f"{where}: expected {expected} bytes for {shape[0]} x {shape[1]} weights in "
                    f"{format_name} but got {stored.get_dtype()} of shape {got}"
                )
            result[name] = ((shape[0], shape[1]), format)
        return result

    def __getitem__(self, name: str) -> PackedWeight | np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        try:
            tensor = self._file.get_tensor(name)
        except (self._error, TypeError) as error:
            raise RotqError(f"{self.path}: tensor '{name}': {error}") from None
        if name not in self.weights:
            return tensor
        shape, format = self.weights[name]
        try:
            return PackedWeight(shape, format, codec.decompress(format, tensor, *shape))
        except RotqError as error:
            raise RotqError(f"{self.path}: tensor '{name}': {error}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def dtype(self, name: str) -> str:
        """Safetensors' name of the type `name` is stored in."""
        return self._file.get_slice(name).get_dtype()

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of the tensor, of the weight where it is packed."""
        if name in self.weights:
            return self.weights[name][0]
        return tuple(self._file.get_slice(name).get_shape())

    def stored_bits(self, name: str) -> float:
        """Per weight or element, what the file holds of the tensor."""
        held = self._file.get_slice(name)
        size = math.prod(held.get_shape()) * DTYPE_BYTES[held.get_dtype()]
        return 8.0 * size / max(math.prod(self.shape(name)), 1)

    def float32(self, name: str) -> np.ndarray:
        """The tensor as float32, decoded where it is packed."""
        tensor = self[name]
        if isinstance(tensor, PackedWeight):
            return tensor.decode()
        return tensor.astype(np.float32)


def open(path: str | os.PathLike) -> Archive:
    """Opens and checks the archive at `path`."""
    return Archive(path)


def is_archive(path: str | os.PathLike) -> bool:
    """Whether `path` is a safetensors file that says it is an archive, of
    whatever version."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return "rotq.archive" in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


class ArchiveWriter(Writer):
    """An archive under construction: `weights` maps names to (N, K) and
    format, `others` are the tensors stored as they are. See `Writer` for the
    order in which `write` takes them, of weights what `codec.compress` gives."""

    def __init__(
        self,
        path: str | os.PathLike,
        weights: Mapping[str, tuple[tuple[int, int], formats.Format]],
        others: Iterable[Entry] = (),
    ):
        packed = []
        for name, (shape, format) in weights.items():
            layout = format.layout(*shape)
            size = layout.max_compressed_bytes or layout.total_bytes
            packed.append(Entry(name, "U8", (size,), at_most=layout.max_compressed_bytes > 0))
        declarations: dict[str, dict] = {}
        for _, format in weights.values():
            known = declarations.setdefault(format.name, format.declaration)
            if known != format.declaration:
                raise RotqError(f"{path}: two formats called '{format.name}'")
        super().__init__(
            path,
            [*others, *packed],
            {
                "rotq.archive": VERSION,
                "rotq.weights": json.dumps(
                    {
                        name: {"shape": list(shape), "format": format.name}
                        for name, (shape, format) in weights.items()
                    }
                ),
                "rotq.formats": json.dumps(declarations),
            },
        )
