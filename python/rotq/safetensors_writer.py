# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writing safetensors files one tensor at a time.

The `safetensors` package wants every tensor in memory before it writes the
first. A model is larger than that, and the size of every tensor is known
before its bytes are, or at least a bound of it, so this writes the header first
and then the tensors as they come. Where there were bounds the header is written
again, filled up with spaces.
"""

from __future__ import annotations

import json
import os
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .error import RotqError
from .locking import lock

#: Bytes of an element, by safetensors' name of its type.
DTYPE_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
    "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4,
    "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """What a tensor will be."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    #: `shape` is one number, which no more elements will be than: `write` says how many.
    at_most: bool = False

    @property
    def nbytes(self) -> int:
        count = 1
        for extent in self.shape:
            count *= extent
        return count * DTYPE_BYTES[self.dtype]


class Writer:
    """A safetensors file under construction, as a context manager.

    `entries` lists the tensors in the order in which `write` must get them:
    the order of the constructor's argument, sorted by falling size of the
    element so that every tensor is aligned. The bytes go to a temporary file
    that takes the place of `path` at the end; after an exception nothing is
    left of it, and what a killed process leaves the next one writes over. Of two
    that write the same file at a time the second is refused.
    """

    def __init__(
        self, path: str | os.PathLike, entries: Iterable[Entry], metadata: Mapping[str, str]
    ):
        self.path = Path(path)
        self.entries = sorted(entries, key=lambda entry: -DTYPE_BYTES[entry.dtype])
        self._metadata = dict(metadata)
        self._sizes = [entry.nbytes for entry in self.entries]
        if len({entry.name for entry in self.entries}) != len(self.entries):
            name, _ = Counter(entry.name for entry in self.entries).most_common(1)[0]
            raise RotqError(f"{self.path}: two tensors called '{name}'")
        text = self._header()
        self._header_bytes = len(text) + -len(text) % 8
        self._temporary = self.path.with_name(f"{self.path.name}.tmp")
        self._next = 0

    def _header(self) -> bytes:
        header: dict = {"__metadata__": self._metadata}
        offset = 0
        for entry, size in zip(self.entries, self._sizes):
            shape = [size // DTYPE_BYTES[entry.dtype]] if entry.at_most else list(entry.shape)
            header[entry.name] = {
                "dtype": entry.dtype,
                "shape": shape,
                "data_offsets": [offset, offset + size],
            }
            offset += size
        return json.dumps(header, separators=(",", ":")).encode()

    def _write_header(self) -> None:
        self._file.seek(0)
        self._file.write(struct.pack("<Q", self._header_bytes))
        self._file.write(self._header().ljust(self._header_bytes))

    def __enter__(self):
        try:
            self._file = open(lock(self._temporary, os.O_WRONLY | os.O_CREAT), "wb")
            self._file.truncate()
        except OSError as error:
            raise RotqError(f"{self.path}: cannot write: {error.strerror}") from None
        self._write_header()
        return self

    def write(self, name: str, data: np.ndarray | Iterable[np.ndarray]) -> None:
        """Appends the bytes of the next tensor, which must be `name`: whole, or
        in pieces."""
        entry = self.entries[self._next]
        size = 0
        for piece in [data] if isinstance(data, np.ndarray) else data:
            size += piece.nbytes
            if entry.name == name and size <= entry.nbytes and piece.size:
                self._file.write(np.ascontiguousarray(piece).view(np.uint8).data)
        fits = size <= entry.nbytes if entry.at_most else size == entry.nbytes
        if entry.name != name or not fits:
            raise ValueError(
                f"expected {entry.nbytes} bytes of '{entry.name}' but got {size} of '{name}'"
            )
        self._sizes[self._next] = size
        self._next += 1

    def __exit__(self, kind, value, traceback) -> None:
        # Renamed or removed before the lock is let go: the next temporary file of
        # this name is another's.
        try:
            if kind is None:
                if self._next != len(self.entries):
                    raise ValueError(f"'{self.entries[self._next].name}' was never written")
                if any(entry.at_most for entry in self.entries):
                    self._write_header()
                self._file.flush()
                os.replace(self._temporary, self.path)
            else:
                self._temporary.unlink()
        except BaseException as error:
            self._temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise RotqError(f"{self.path}: cannot write: {error.strerror}") from None
            raise
        finally:
            self._file.close()
