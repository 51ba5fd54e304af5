# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import importlib.machinery
import importlib.util
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from rotq import RotqError, checkpoint, demo, formats
from rotq.archive import ArchiveWriter
from rotq.codec import encode
from rotq.importer import import_model
from rotq.safetensors_writer import Entry

FIXTURES = Path(__file__).parent / "fixtures"
#: Models that make_fixtures.py has made.
TINY_MODELS = ("llama3", "qwen2", "qwen3", "mistral", "gemma3", "smollm3")
#: Of logits, of the largest one.
TOLERANCE = 1e-4

#: y[i] = factor * x[i] for i < m
SCALE_PTX = """
.version 8.0
.target sm_80
.address_size 64
.visible .entry scale(.param .u64 x, .param .u64 y, .param .u32 m, .param .u32 factor)
{
  .reg .pred %p; .reg .b32 %r<8>; .reg .b64 %d<5>;
  ld.param.u64 %d0, [x]; ld.param.u64 %d1, [y];
  ld.param.u32 %r0, [m]; ld.param.u32 %r5, [factor];
  mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x;
  mad.lo.u32 %r4, %r1, %r2, %r3;
  setp.ge.u32 %p, %r4, %r0; @%p bra done;
  mul.wide.u32 %d2, %r4, 4; add.u64 %d3, %d0, %d2; add.u64 %d4, %d1, %d2;
  ld.global.u32 %r6, [%d3]; mul.lo.u32 %r6, %r6, %r5; st.global.u32 [%d4], %r6;
done: ret;
}
"""


def load_script(name):
    """A script of benchmarks/ as a module."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / name
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    # Dataclasses look their module up; no bytecode is left beside the script.
    sys.modules[name] = module
    wrote, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = wrote
    return module


def reference(name):
    return np.load(FIXTURES / name / "reference.npz")


def prompts(expected):
    return [row[:length] for row, length in zip(expected["tokens"], expected["lengths"])]


def assert_close(logits, expected):
    np.testing.assert_allclose(logits, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


@pytest.fixture(scope="session", autouse=True)
def compiled_models(tmp_path_factory):
    """What tests compile is compiled once, and not from an earlier run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Imports a model once: a function from its path, or the name of a fixture, to
    its model directory, which stays as it is."""
    folder, done = tmp_path_factory.mktemp("models"), {}

    def directory(source):
        if source not in done:
            done[source] = folder / Path(source).stem
            import_model(FIXTURES / source, done[source], progress=False)
        return done[source]

    return directory


@pytest.fixture(scope="session")
def smollm2():
    """The checkpoint of SmolLM2-135M, a GGUF file."""
    try:
        return checkpoint.open(demo._model())
    except RotqError as error:
        pytest.skip(str(error))


def pointer(name, access):
    return {"name": name, "kind": "pointer", "access": access, "type": "i32", "shape": ["m"]}


MANIFEST = {
    "version": 1,
    "targets": ["sm_80"],
    "kernels": [
        {
            "name": "scale",
            "role": "scale",
            "params": [
                pointer("x", "read"),
                pointer("y", "write"),
                {"name": "m", "kind": "i32"},
                {"name": "factor", "kind": "i32"},
            ],
            "grid": [{"count": 1, "over": "m", "tile": 128}, {"count": 1}, {"count": 1}],
            "block": [128, 1, 1],
        }
    ],
}


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


@pytest.fixture
def bundle_path(tmp_path):
    path = tmp_path / "scale.rotqb"
    save_file(
        {"fatbin": np.frombuffer(SCALE_PTX.encode(), np.uint8)},
        path,
        {"rotq.bundle": "1", "manifest": json.dumps(MANIFEST)},
    )
    return path
