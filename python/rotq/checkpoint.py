# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models as they are published, read one tensor at a time.

`open` takes a GGUF file, a safetensors file, or a directory of safetensors
files (with or without a shard index). Names and row order stay as stored:
llama.cpp permutes the rows of the query and key projections of Llama models
when it writes a GGUF, and this reader does not undo it.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .error import RotqError

#: The names of linear layers in GGUF and in Hugging Face checkpoints.
LINEAR_LAYERS = (
    r"blk\.\d+\.(attn_(q|k|v|output)|ffn_(gate|up|down))\.weight"
    r"|model\.layers\.\d+\.(self_attn|mlp)\.(q|k|v|o|gate|up|down)_proj\.weight"
)

_NUMPY_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


#: Every row of a tensor.
ALL = slice(None)

#: Weights that `Checkpoint.chunks` takes together: enough to keep many cores busy
#: encoding, little beside the tensors that do not fit into memory.
CHUNK = 1 << 21


class Checkpoint(ABC):
    """Tensors by name. Nothing is read before it is asked for, and nothing but
    that: files are read and not mapped, so memory that was given back is free."""

    def __init__(self, path: Path, files: Sequence[Path]):
        self.path = path
        #: What it is read from.
        self.files = tuple(files)
        #: What a user should know about how this checkpoint stores things.
        self.notes: list[str] = []

    @abstractmethod
    def names(self) -> list[str]:
        """The tensors, in the order of the file."""

    @abstractmethod
    def shape(self, name: str) -> tuple[int, ...]: ...

    @abstractmethod
    def dtype(self, name: str) -> str:
        """Safetensors' name of the type `raw` gives."""

    @abstractmethod
    def raw(self, name: str, rows: slice = ALL) -> np.ndarray:
        """The tensor in the type it is stored in: all of it, or of a tensor of
        rank 2 or more some consecutive `rows`, entries of the first dimension."""

    def exact_dtype(self, name: str) -> str:
        """Safetensors' name of a type that holds the tensor's values, where
        `raw` may round them."""
        return self.dtype(name)

    def float32(self, name: str, rows: slice = ALL) -> np.ndarray:
        return np.ascontiguousarray(self.raw(name, rows), dtype=np.float32)

    def chunks(self, name: str) -> Iterator[slice]:
        """The rows of a tensor in consecutive pieces of about CHUNK values; a
        tensor of rank below 2 is one piece."""
        shape = self.shape(name)
        if len(shape) < 2 or math.prod(shape) <= CHUNK:
            yield ALL
            return
        step = max(CHUNK // math.prod(shape[1:]), 1)
        for first in range(0, shape[0], step):
            yield slice(first, min(first + step, shape[0]))

    def linear_layers(self, include: str | None = None, exclude: str | None = None) -> list[str]:
        """The weights to quantize: tensors of rank 2 whose whole name matches
        the regular expression `include` (by default the linear layers of a
        decoder) and not `exclude`."""
        wanted = compiled(include or LINEAR_LAYERS)
        unwanted = compiled(exclude) if exclude else None
        return [
            name
            for name in self.names()
            if wanted.fullmatch(name)
            and not (unwanted and unwanted.fullmatch(name))
            and len(self.shape(name)) == 2
        ]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())


def compiled(pattern: str) -> re.Pattern:
    """Raises RotqError where `pattern` is no regular expression."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise RotqError(f"'{pattern}' is not a regular expression: {error}") from None


def _read(
    file: BinaryIO, offset: int, dtype: np.dtype, shape: Sequence[int], rows: slice
) -> np.ndarray:
    """Rows of the array of `shape` that begins at byte `offset` of a file."""
    if shape:
        first, last, _ = rows.indices(shape[0])
        offset += first * math.prod(shape[1:]) * dtype.itemsize
        shape = (last - first, *shape[1:])
    array = np.empty(shape, dtype)
    file.seek(offset)
    if file.readinto(array.reshape(-1).view(np.uint8)) != array.nbytes:
        raise RotqError(f"{file.name}: the file has become shorter")
    return array


class SafetensorsCheckpoint(Checkpoint):
    """One safetensors file, or the shards of a directory."""

    def __init__(self, path: Path, files: list[Path]):
        super().__init__(path, files)
        import ml_dtypes  # noqa: F401  (teaches numpy bfloat16 and float8)
        from safetensors import SafetensorError, safe_open

        #: By name: the file, where its tensors begin, and its header's entry.
        self._places: dict[str, tuple[BinaryIO, int, dict]] = {}
        for shard in files:
            try:
                # Checks the header, which is then read as it stands.
                with safe_open(shard, framework="np") as reader:
                    names = reader.offset_keys()
                file = shard.open("rb")
            except (SafetensorError, OSError) as error:
                raise RotqError(f"{shard}: {error}") from None
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size))
            for name in names:
                if name in self._places:
                    raise RotqError(f"{shard}: tensor '{name}' is in another shard too")
                self._places[name] = (file, 8 + size, header[name])

    def names(self) -> list[str]:
        return list(self._places)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._places[name][2]["shape"])

    def dtype(self, name: str) -> str:
        dtype = self._places[name][2]["dtype"]
        if dtype not in _NUMPY_DTYPES:
            raise RotqError(
                f"{self.path}: tensor '{name}' has type {dtype}, which is not supported"
            )
        return dtype

    def raw(self, name: str, rows: slice = ALL) -> np.ndarray:
        dtype = np.dtype(_NUMPY_DTYPES[self.dtype(name)])
        file, start, entry = self._places[name]
        return _read(file, start + entry["data_offsets"][0], dtype, entry["shape"], rows)


class _Metadata(Mapping):
    def __init__(self, path: Path, fields: Mapping, prefix: str):
        self._path, self._prefix = path, prefix
        self._fields = {
            key.removeprefix(prefix): field
            for key, field in fields.items()
            if key.startswith(prefix)
        }

    def __getitem__(self, key: str) -> object:
        try:
            return self._fields[key].contents()
        except (ValueError, IndexError) as error:
            raise RotqError(f"{self._path}: '{self._prefix}{key}': {error}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class GgufCheckpoint(Checkpoint):
    """A GGUF file. Block-quantized tensors are given as 16-bit floats where
    `raw` is asked for, and dequantized exactly where `float32` is."""

    def __init__(self, path: Path):
        super().__init__(path, [path])
        import gguf
        import ml_dtypes  # noqa: F401  (teaches numpy bfloat16)

        try:
            reader = gguf.GGUFReader(path)
            tensors = {tensor.name: tensor for tensor in reader.tensors}
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  (whatever numpy raised)
            raise RotqError(f"{path}: not a readable GGUF file: {error}") from None
        self._gguf = gguf
        self._file = path.open("rb")
        self._fields = reader.fields
        self._tensors = tensors
        self._plain = {
            gguf.GGMLQuantizationType.BF16: "BF16",
            gguf.GGMLQuantizationType.F64: "F64",
            gguf.GGMLQuantizationType.F32: "F32",
            gguf.GGMLQuantizationType.F16: "F16",
            gguf.GGMLQuantizationType.I64: "I64",
            gguf.GGMLQuantizationType.I32: "I32",
            gguf.GGMLQuantizationType.I16: "I16",
            gguf.GGMLQuantizationType.I8: "I8",
        }
        architecture = reader.fields.get("general.architecture")
        if architecture is not None and architecture.contents() == "llama":
            self.notes.append(
                "query and key rows are in llama.cpp's permuted order, and stay in it"
            )

    def metadata(self, prefix: str) -> Mapping[str, object]:
        """The file's metadata whose keys begin with `prefix`, by the rest of
        the key. A value is decoded when it is asked for."""
        return _Metadata(self.path, self._fields, prefix)

    def names(self) -> list[str]:
        return list(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        # GGUF lists the fastest dimension first.
        return tuple(int(extent) for extent in reversed(self._tensors[name].shape))

    def dtype(self, name: str) -> str:
        return self._plain.get(self._tensors[name].tensor_type, "F16")

    def exact_dtype(self, name: str) -> str:
        return self._plain.get(self._tensors[name].tensor_type, "F32")

    def _stored(self, name: str, rows: slice) -> np.ndarray:
        """What the file holds, rows of blocks as bytes."""
        tensor = self._tensors[name]
        data = tensor.data
        return _read(self._file, int(tensor.data_offset), data.dtype, data.shape, rows)

    def raw(self, name: str, rows: slice = ALL) -> np.ndarray:
        if self._tensors[name].tensor_type not in self._plain:
            return self.float32(name, rows).astype(np.float16)
        # The package gives bfloat16 as bytes.
        dtype = np.dtype(_NUMPY_DTYPES[self.dtype(name)])
        return self._stored(name, rows).view(dtype).reshape(-1, *self.shape(name)[1:])

    def float32(self, name: str, rows: slice = ALL) -> np.ndarray:
        data = self._stored(name, rows)
        try:
            data = self._gguf.quants.dequantize(data, self._tensors[name].tensor_type)
        except (NotImplementedError, ValueError) as error:
            raise RotqError(f"{self.path}: tensor '{name}': {error}") from None
        data = np.ascontiguousarray(data, dtype=np.float32)
        return data.reshape(-1, *self.shape(name)[1:])


def _shards(directory: Path) -> list[Path]:
    """The safetensors files of a model directory."""
    index = directory / "model.safetensors.index.json"
    if index.exists():
        try:
            files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RotqError(f"{index}: not a shard index") from None
        for file in files:
            if not isinstance(file, str) or Path(file).name != file:
                raise RotqError(f"{index}: '{file}' is not the name of a file beside it")
    else:
        files = sorted(file.name for file in directory.glob("*.safetensors"))
    if not files:
        raise RotqError(f"{directory}: no safetensors files")
    return [directory / file for file in files]


def open(path: str | os.PathLike) -> Checkpoint:
    """The checkpoint at `path`."""
    path = Path(path)
    if path.is_dir():
        return SafetensorsCheckpoint(path, _shards(path))
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise RotqError(f"{path}: {error.strerror}") from None
    return GgufCheckpoint(path) if magic == b"GGUF" else SafetensorsCheckpoint(path, [path])
