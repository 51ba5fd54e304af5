# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json

import numpy as np
import pytest
from conftest import read_header, write_header

from rotq import RotqError, archive, codec, formats
from rotq.safetensors_writer import Entry, Writer


def edit(path, change):
    """Applies `change` to the metadata of a file."""
    header, body = read_header(path)
    change(header["__metadata__"])
    write_header(path, header, body)


def edit_json(path, key, change):
    def apply(metadata):
        value = json.loads(metadata[key])
        change(value)
        metadata[key] = json.dumps(value)

    edit(path, apply)


def refused(path, *words):
    with pytest.raises(RotqError) as caught:
        packed = archive.open(path)
        for name in packed:
            packed[name]
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_round_trip(archive_path, matrix):
    packed = archive.open(archive_path)
    assert set(packed) == {"norm.weight", "proj.weight"} and len(packed) == 2
    np.testing.assert_array_equal(packed["norm.weight"], np.arange(4, dtype=np.float32))
    weight = packed["proj.weight"]
    assert weight.shape == matrix.shape and weight.format.name == "rq3"
    expected = codec.decode(weight.format, codec.encode(weight.format, matrix), *matrix.shape)
    np.testing.assert_array_equal(weight.decode(), expected)
    np.testing.assert_array_equal(packed.float32("proj.weight"), expected)
    assert packed.shape("proj.weight") == matrix.shape
    assert packed.dtype("norm.weight") == "F32"
    with pytest.raises(KeyError):
        packed["absent"]


def test_declaration_carries_the_rotation(archive_path):
    header, _ = read_header(archive_path)
    declaration = json.loads(header["__metadata__"]["rotq.formats"])["rq3"]
    assert declaration["rotation"] == {"kind": "hadamard", "block": 256}


def test_every_truncation_is_an_error(archive_path):
    data = archive_path.read_bytes()
    for size in range(0, len(data), 97):
        archive_path.write_bytes(data[:size])
        refused(archive_path)
    archive_path.write_bytes(data + b"\0")
    refused(archive_path)


def test_mutations_never_crash(archive_path):
    data = archive_path.read_bytes()
    header_end = len(data) - len(read_header(archive_path)[1])
    random = np.random.default_rng(3)
    for _ in range(300):
        mutant = bytearray(data)
        for place in random.integers(0, header_end, 2):
            mutant[place] = random.choice(list(b'{}[]",:0129-ax'))
        archive_path.write_bytes(mutant)
        try:
            packed = archive.open(archive_path)
            for name in packed:
                packed.float32(name)
        except RotqError as error:
            assert str(archive_path) in str(error)


def test_missing_file(tmp_path):
    refused(tmp_path / "none.safetensors", "no such file")


def test_not_an_archive(archive_path):
    edit(archive_path, lambda metadata: metadata.pop("rotq.archive"))
    refused(archive_path, "not an archive")


def test_unknown_version(archive_path):
    edit(archive_path, lambda metadata: metadata.update({"rotq.archive": "2"}))
    refused(archive_path, "version '2'")


@pytest.mark.parametrize("key", ["rotq.weights", "rotq.formats"])
@pytest.mark.parametrize("value", [None, "", "[1]", "{", "[" * 100000])
def test_broken_metadata(archive_path, key, value):
    if value is None:
        edit(archive_path, lambda metadata: metadata.pop(key))
    else:
        edit(archive_path, lambda metadata: metadata.update({key: value}))
    refused(archive_path, key)


def test_missing_rotation(archive_path):
    edit_json(archive_path, "rotq.formats", lambda value: value["rq3"].pop("rotation"))
    refused(archive_path, "'rq3'", "rotation")


@pytest.mark.parametrize(
    "rotation",
    [None, {}, {"kind": "givens"}, {"kind": "hadamard"}, {"kind": "hadamard", "block": 3}],
)
def test_unknown_rotation(archive_path, rotation):
    edit_json(archive_path, "rotq.formats", lambda value: value["rq3"].update(rotation=rotation))
    refused(archive_path, "'rq3'")


def test_format_that_is_no_object(archive_path):
    edit_json(archive_path, "rotq.formats", lambda value: value.update(rq3="rq3"))
    refused(archive_path, "'rq3'")


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"shape": [6], "format": "rq3"},
        {"shape": [6, -576], "format": "rq3"},
        {"shape": [6, 2**40], "format": "rq3"},
        {"shape": [6.0, 576], "format": "rq3"},
        {"shape": [True, 576], "format": "rq3"},
        {"shape": [6, 576]},
        {"shape": [6, 576], "format": ["rq3"]},
        {"shape": [6, 576], "format": "rq4"},
        {"shape": [6, 512], "format": "rq3"},
        {"shape": [7, 576], "format": "rq3"},
    ],
)
def test_wrong_weight(archive_path, entry):
    edit_json(archive_path, "rotq.weights", lambda value: value.update({"proj.weight": entry}))
    refused(archive_path, "'proj.weight'")


def test_packed_but_absent(archive_path):
    edit_json(archive_path, "rotq.weights", lambda value: value.update(ghost=value["proj.weight"]))
    refused(archive_path, "'ghost'")


@pytest.fixture
def compressed_path(tmp_path, matrix):
    """An archive of two weights of no fixed size, and one that has one."""
    path = tmp_path / "compressed.safetensors"
    names = {"a": "hyperquant_rice_3", "b": "rq3", "c": "hyperquant_rice_5"}
    weights = {name: (matrix.shape, formats.lookup(format)) for name, format in names.items()}
    with archive.ArchiveWriter(path, weights) as writer:
        for name, (_, format) in weights.items():
            blob = codec.encode(format, matrix)
            writer.write(name, codec.compress(format, blob, *matrix.shape))
    return path


def test_compressed(compressed_path, matrix):
    packed = archive.open(compressed_path)
    assert list(packed) == ["a", "b", "c"]
    for name in packed:
        weight = packed[name]
        np.testing.assert_array_equal(weight.blob, codec.encode(weight.format, matrix))
        held = len(codec.compress(weight.format, weight.blob, *matrix.shape))
        assert packed.stored_bits(name) == 8 * held / matrix.size
    assert packed.stored_bits("a") < 4.5 < packed.stored_bits("c") < 7
    header, body = read_header(compressed_path)
    assert len(body) == header["c"]["data_offsets"][1]
    assert (len(compressed_path.read_bytes()) - len(body)) % 8 == 0


def test_damage_to_what_is_compressed(compressed_path):
    data = compressed_path.read_bytes()
    wrong = bytearray(data)
    wrong[-1] ^= 128
    compressed_path.write_bytes(wrong)
    refused(compressed_path, "'c'", "stream 1 of row 5 is damaged")
    for size in range(0, len(data), 97):
        compressed_path.write_bytes(data[:size])
        refused(compressed_path)
    compressed_path.write_bytes(data)
    header, body = read_header(compressed_path)
    header["c"]["shape"] = [10**9]
    write_header(compressed_path, header, body)
    refused(compressed_path)


def test_more_bytes_than_compression_gives(tmp_path, compressed_path, matrix):
    _, format = archive.open(compressed_path).weights["a"]
    path, bound = tmp_path / "x", format.layout(*matrix.shape).max_compressed_bytes
    metadata = read_header(compressed_path)[0]["__metadata__"]
    metadata["rotq.weights"] = json.dumps({"a": {"shape": matrix.shape, "format": format.name}})
    with Writer(path, [Entry("a", "U8", (bound + 1,))], metadata) as writer:
        writer.write("a", np.zeros(bound + 1, np.uint8))
    refused(path, "'a'", f"expected at most {bound} bytes")


def test_writer_takes_fewer(tmp_path):
    path = tmp_path / "file.safetensors"
    entries = [Entry("a", "U8", (1000,), at_most=True), Entry("b", "U8", (3,))]
    with Writer(path, entries, {"key": "value"}) as writer:
        writer.write("a", np.arange(5, dtype=np.uint8))
        writer.write("b", np.zeros(3, np.uint8))
    header, body = read_header(path)
    assert header["a"] == {"dtype": "U8", "shape": [5], "data_offsets": [0, 5]}
    assert header["b"]["data_offsets"] == [5, 8] and body[:5] == bytes(range(5))
    with pytest.raises(ValueError, match="expected 1000 bytes of 'a' but got 1001"):
        with Writer(path, entries, {}) as writer:
            writer.write("a", np.zeros(1001, np.uint8))


def test_writer_replaces_only_when_done(tmp_path):
    path = tmp_path / "file.safetensors"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError), Writer(path, [Entry("a", "U8", (3,))], {}) as writer:
        writer.write("a", np.zeros(3, np.uint8))
        raise RuntimeError
    assert path.read_bytes() == b"before"
    with pytest.raises(ValueError, match="never written"):
        with Writer(path, [Entry("a", "U8", (3,))], {}):
            pass
    with pytest.raises(ValueError, match="expected 3 bytes"):
        with Writer(path, [Entry("a", "U8", (3,))], {}) as writer:
            writer.write("a", np.zeros(4, np.uint8))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_writer_refuses_twins_and_bad_places(tmp_path):
    with pytest.raises(RotqError, match="two tensors called 'a'"):
        Writer(tmp_path / "x", [Entry("a", "U8", (1,)), Entry("a", "F32", (1,))], {})
    with pytest.raises(RotqError, match="cannot write"), Writer(tmp_path / "no" / "x", [], {}):
        pass


def test_writer_aligns(tmp_path):
    path = tmp_path / "file.safetensors"
    entries = [
        Entry("byte", "U8", (3,)),
        Entry("float", "F32", (0, 2)),
        Entry("half", "BF16", (1,)),
    ]
    with Writer(path, entries, {"key": "value"}) as writer:
        assert [entry.name for entry in writer.entries] == ["float", "half", "byte"]
        writer.write("float", np.zeros((0, 2), np.float32))
        writer.write("half", np.zeros(1, np.uint16))
        writer.write("byte", np.zeros(3, np.uint8))
    header, body = read_header(path)
    assert header["half"]["data_offsets"] == [0, 2] and len(body) == 5
    assert (len(path.read_bytes()) - len(body)) % 8 == 0


def test_same_name_other_format(tmp_path, matrix):
    # Two declarations under one name cannot both be carried.
    a = formats.lookup("rq3")
    b = formats.Format("rq3", formats.lookup("rq4").json)
    with pytest.raises(RotqError, match="'rq3'"):
        archive.ArchiveWriter(tmp_path / "x", {"a": (matrix.shape, a), "b": (matrix.shape, b)})
