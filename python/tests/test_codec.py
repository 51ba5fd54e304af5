# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json

import numpy as np
import pytest

from rotq import RotqError, codec, formats
from rotq.quantize import relative_error


@pytest.mark.parametrize("name", formats.names())
def test_round_trip(name, matrix):
    format = formats.lookup(name)
    n, k = matrix.shape
    finished = []
    blob = codec.encode(format, matrix, progress=finished.append)
    assert sum(finished) == n
    assert np.array_equal(blob, codec.encode(format, matrix, threads=1))
    layout = format.layout(n, k)
    assert blob.nbytes == layout.total_bytes

    decoded = codec.decode(format, blob, n, k)
    # Three levels lose a fifth of a Gaussian, more bits lose less.
    assert relative_error(matrix, decoded) < 0.25
    rows = codec.decode_rows(format, blob, n, k, [4, 0, 4])
    assert np.array_equal(rows, decoded[[4, 0, 4]])
    assert codec.decode_points(format, blob, n, k).shape == (n, layout.stored_length)

    rotated = codec.decode_rotated(format, blob, n, k)
    assert rotated.shape == (n, layout.padded_length)
    back = codec.rotate(format, rotated, inverse=True)
    np.testing.assert_allclose(back[:, :k], decoded, atol=1e-5)


def test_layout_adds_up():
    layout = formats.lookup("rq3").layout(4096, 4096)
    assert [plane.run_bytes for plane in layout.planes] == [8, 4]
    assert layout.bits_per_weight == pytest.approx(3 + 16 / 256)
    assert layout.scales_offset + 2 * 4096 * layout.segments <= layout.total_bytes


def test_formats_compare_by_what_they_decode():
    format = formats.lookup("rq4")
    renamed = formats.lookup(json.dumps(format.declaration | {"name": "mine"}))
    assert renamed.name == "mine"
    assert format.decodes_like(renamed)
    assert not format.decodes_like(formats.lookup("rq3"))


def test_unknown_format_lists_the_known():
    with pytest.raises(RotqError, match="rq3"):
        formats.lookup("rq99")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_encode_names_what_is_not_finite(matrix, value):
    matrix[3, 17] = value
    with pytest.raises(RotqError, match=r"3.*17"):
        codec.encode(formats.lookup("rq3"), matrix)


@pytest.mark.parametrize("shape", [(4,), (0, 64), (2, 3, 4)])
def test_encode_takes_matrices(shape):
    with pytest.raises(RotqError, match="matrix"):
        codec.encode(formats.lookup("rq3"), np.zeros(shape, np.float32))


def test_decode_checks_the_blob(matrix):
    format = formats.lookup("rq3")
    blob = codec.encode(format, matrix)
    for wrong in (blob[:-1], np.append(blob, blob[0])):
        with pytest.raises(RotqError, match="bytes"):
            codec.decode(format, wrong, *matrix.shape)
    for n, k in ((0, 576), (-6, 576), (6, 0), (2**62, 2**62)):
        with pytest.raises(RotqError):
            codec.decode(format, blob, n, k)
    with pytest.raises(RotqError):
        codec.decode_rows(format, blob, *matrix.shape, [6])


def test_compression():
    format = formats.lookup("hyperquant_rice_3")
    weights = np.random.default_rng(5).standard_normal((3, 1032), np.float32)
    shape, blob = weights.shape, codec.encode(format, weights)
    compressed = codec.compress(format, blob, *shape, threads=1)
    np.testing.assert_array_equal(compressed, codec.compress(format, blob, *shape, threads=3))
    assert len(compressed) < 0.45 * len(blob)
    np.testing.assert_array_equal(blob, codec.decompress(format, compressed, *shape))
    for place in (0, 17, 30, len(compressed) // 2, len(compressed) - 1):
        wrong = compressed.copy()
        wrong[place] ^= 16
        with pytest.raises(RotqError, match="expected|damaged"):
            codec.decompress(format, wrong, *shape)
    with pytest.raises(RotqError, match="expected"):
        codec.decompress(format, compressed[:-4], *shape)
    with pytest.raises(RotqError, match="3 x 1032"):
        codec.decompress(format, compressed, 3, 1031)
    blob[0] ^= 1
    with pytest.raises(RotqError, match="lattice.* in row 0"):
        codec.compress(format, blob, *shape)


def test_other_formats_are_not_compressed(matrix):
    format = formats.lookup("rq3")
    blob = codec.encode(format, matrix)
    assert np.shares_memory(codec.compress(format, blob, *matrix.shape), blob)
    np.testing.assert_array_equal(codec.decompress(format, blob, *matrix.shape), blob)
    with pytest.raises(RotqError, match="bytes"):
        codec.decompress(format, blob[:-1], *matrix.shape)


def test_quantized_activation():
    x = np.random.default_rng(2).standard_normal((3, 576), dtype=np.float32)
    codes, scales, sums = codec.quantize_activation(x, 256)
    assert codes.shape == (3, 576) and scales.shape == sums.shape == (3, 3)
    segments = np.split(np.arange(576), [256, 512])
    for i, segment in enumerate(segments):
        np.testing.assert_array_equal(codes[:, segment].sum(axis=1, dtype=np.int32), sums[:, i])
        back = codes[:, segment] * scales[:, i, None]
        assert np.abs(back - x[:, segment]).max() <= scales[:, i].max() / 2 * 1.001


def test_rests_of_an_activation():
    x = np.random.default_rng(4).standard_normal((3, 320), dtype=np.float32)
    codes, scales, sums = codec.quantize_activation(x, 256, rests=True)
    assert codes.shape == (6, 320) and scales.shape == sums.shape == (6, 2)
    values = codes * np.repeat(scales, [256, 64], axis=1)
    back = values[::2] + values[1::2]
    assert np.abs(back - x).max() <= scales[1::2].max() * 0.51
    assert np.abs(values[::2] - x).max() > 100 * np.abs(back - x).max()
    kernel = codec.QuantizedActivation(
        codes.reshape(3, 640), scales.reshape(3, 4), sums.reshape(3, 4)
    )
    np.testing.assert_array_equal(codec.by_rows(kernel, "rests", 320, 256).codes, codes)


def test_activation_by_rows():
    x = np.random.default_rng(3).standard_normal((3, 320), dtype=np.float32)
    want = codec.quantize_activation(x, 256)
    # A tile is [run][word][t] of 4; scales are [segment][row].
    tile = want.codes[:, :256].reshape(3, 2, 4, 8, 4).transpose(0, 1, 3, 2, 4)
    laid_out = codec.QuantizedActivation(
        np.concatenate([tile.reshape(3, 256), want.codes[:, 256:]], axis=1),
        want.scales.T.reshape(want.scales.shape),
        want.sums.T.reshape(want.sums.shape),
    )
    for array, expected in zip(codec.by_rows(laid_out, "interleaved", 320, 256), want):
        np.testing.assert_array_equal(array, expected)
    for array, expected in zip(codec.by_rows(want, "rows", 320, 256), want):
        np.testing.assert_array_equal(array, expected)
    with pytest.raises(RotqError, match="backwards"):
        codec.by_rows(laid_out, "backwards", 320, 256)


def test_error_of_zeros():
    zeros = np.zeros((2, 2), np.float32)
    assert relative_error(zeros, zeros) == 0.0
    assert relative_error(np.ones((2, 2)), zeros) == 1.0
