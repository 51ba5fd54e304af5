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
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path

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


class Checkpoint(ABC):
    """Tensors by name. Nothing is read before it is asked for."""

    def __init__(self, path: Path):
        self.path = path
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
    def raw(self, name: str) -> np.ndarray:
        """The tensor in the type it is stored in."""

    def exact_dtype(self, name: str) -> str:
        """Safetensors' name of a type that holds the tensor's values, where
        `raw` may round them."""
        return self.dtype(name)

    def float32(self, name: str) -> np.ndarray:
        return np.ascontiguousarray(self.raw(name), dtype=np.float32)

    def linear_layers(self, include: str | None = None, exclude: str | None = None) -> list[str]:
        """The weights to quantize: tensors of rank 2 whose whole name matches
        the regular expression `include` (by default the linear layers of a
        decoder) and not `exclude`."""
        wanted = _regex(include or LINEAR_LAYERS)
        unwanted = _regex(exclude) if exclude else None
        return [
            name
            for name in self.names()
            if wanted.fullmatch(name)
            and not (unwanted and unwanted.fullmatch(name))
            and len(self.shape(name)) == 2
        ]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())


def _regex(pattern: str) -> re.Pattern:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise RotqError(f"'{pattern}' is not a regular expression: {error}") from None


class SafetensorsCheckpoint(Checkpoint):
    """One safetensors file, or the shards of a directory."""

    def __init__(self, path: Path, files: list[Path]):
        super().__init__(path)
        import ml_dtypes  # noqa: F401  (teaches numpy bfloat16 and float8)
        from safetensors import SafetensorError, safe_open

        self._places = {}
        for file in files:
            try:
                reader = safe_open(file, framework="np")
            except (SafetensorError, OSError) as error:
                raise RotqError(f"{file}: {error}") from None
            for name in reader.offset_keys():
                if name in self._places:
                    raise RotqError(f"{file}: tensor '{name}' is in another shard too")
                self._places[name] = reader

    def names(self) -> list[str]:
        return list(self._places)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._places[name].get_slice(name).get_shape())

    def dtype(self, name: str) -> str:
        dtype = self._places[name].get_slice(name).get_dtype()
        if dtype not in _NUMPY_DTYPES:
            raise RotqError(
                f"{self.path}: tensor '{name}' has type {dtype}, which is not supported"
            )
        return dtype

    def raw(self, name: str) -> np.ndarray:
        self.dtype(name)
        return self._places[name].get_tensor(name)


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
        super().__init__(path)
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

    def raw(self, name: str) -> np.ndarray:
        tensor = self._tensors[name]
        if tensor.tensor_type in self._plain:
            # The package gives bfloat16 as bytes.
            dtype = np.dtype(_NUMPY_DTYPES[self.dtype(name)])
            return tensor.data.view(dtype).reshape(self.shape(name))
        return self.float32(name).astype(np.float16)

    def float32(self, name: str) -> np.ndarray:
        tensor = self._tensors[name]
        try:
            data = self._gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        except (NotImplementedError, ValueError) as error:
            raise RotqError(f"{self.path}: tensor '{name}': {error}") from None
        return np.ascontiguousarray(data, dtype=np.float32).reshape(self.shape(name))


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
