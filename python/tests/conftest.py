# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json
import struct

import numpy as np
import pytest

from rotq import formats
from rotq.archive import ArchiveWriter
from rotq.codec import encode
from rotq.safetensors_writer import Entry


def write_safetensors(path, tensors, metadata=None):
    """A safetensors file from {name: (dtype, shape, bytes)}, unchecked."""
    header = {"__metadata__": metadata or {}}
    offset = 0
    for name, (dtype, shape, data) in tensors.items():
        end = offset + len(data)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    body = b"".join(data for _, _, data in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def read_header(path):
    """Header and body of a safetensors file."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def write_header(path, header, body):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


@pytest.fixture
def matrix():
    """A small weight whose rows have a tail."""
    return np.random.default_rng(1).standard_normal((6, 576), dtype=np.float32)


@pytest.fixture
def archive_path(tmp_path, matrix):
    """An archive of one packed weight and one norm."""
    path = tmp_path / "model.safetensors"
    format = formats.lookup("rq3")
    weights = {"proj.weight": (matrix.shape, format)}
    with ArchiveWriter(path, weights, [Entry("norm.weight", "F32", (4,))]) as writer:
        writer.write("norm.weight", np.arange(4, dtype=np.float32))
        writer.write("proj.weight", encode(format, matrix))
    return path
