#!/usr/bin/env python3
# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A second implementation of the codec, which writes the test vectors.

Written from docs/formats alone, a number at a time and with nothing but the
standard library, so that it shares no mistake with lib/Codec.

  generate.py           writes <format>.json beside this file
  generate.py --check   fails if a file differs from what would be written
"""

import itertools
import json
import math
import operator
import pathlib
import re
import statistics
import struct
import sys

# --- f32 and f16 -------------------------------------------------------------
# A sum, product, quotient or root of two f32 numbers, computed in f64 and
# rounded to f32, is the correctly rounded one (53 >= 2 * 24 + 2).


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def half(x):
    """The bits of `x` as f16, clamped to finite."""
    x = max(-65504.0, min(65504.0, x))
    return struct.unpack("<H", struct.pack("<e", x))[0]


def from_half(bits):
    return struct.unpack("<e", struct.pack("<H", bits))[0]


def ordered_sum(values):
    """Sixteen partial sums, then added in pairs."""
    s = [0.0] * 16
    for i, v in enumerate(values):
        s[i % 16] = f32(s[i % 16] + v)
    while len(s) > 1:
        m = len(s) // 2
        s = [f32(s[i] + s[i + m]) for i in range(m)]
    return s[0]


# --- Codebooks -----------------------------------------------------------------


def pdf(x):
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


def cells(levels):
    cuts = [(a + b) / 2 for a, b in zip(levels, levels[1:])]
    return zip(levels, [-math.inf] + cuts, cuts + [math.inf])


def lloyd_max(n):
    """The n levels that lose least on N(0, 1)."""
    levels = [-3 + 6 * (i + 0.5) / n for i in range(n)]
    while True:
        new = [(pdf(a) - pdf(b)) / (cdf(b) - cdf(a)) for _, a, b in cells(levels)]
        moved = max(abs(a - b) for a, b in zip(levels, new))
        levels = new
        if moved < 1e-13:
            return levels


def loss(levels):
    """Mean squared error of rounding N(0, 1) to `levels`."""
    total = 0.0
    for q, a, b in cells(levels):
        edge = lambda x: x * pdf(x) if math.isfinite(x) else 0.0
        mass, mean = cdf(b) - cdf(a), pdf(a) - pdf(b)
        total += mass + edge(a) - edge(b) - 2 * q * mean + q * q * mass
    return total


def least_loss(table):
    """`loss` of step * table for the best step."""
    low, high = 1.0 / max(table), 4.0 / max(table)
    for _ in range(80):
        a, b = low + (high - low) * 0.382, low + (high - low) * 0.618
        if loss([a * q for q in table]) < loss([b * q for q in table]):
            high = b
        else:
            low = a
    return loss([low * q for q in table])


def integer_levels(n):
    """The Lloyd-Max levels times a factor, rounded: of the tables whose largest
    level is 100 to 127, the one that loses least; of equals the largest."""
    positive = lloyd_max(n)[n // 2 :]
    tables = set()
    for i in range(99 * 32, 128 * 32):
        factor = i / 32 / positive[-1]
        table = tuple(math.floor(v * factor + 0.5) for v in positive)
        if 100 <= table[-1] <= 127:
            tables.add(table)
    symmetric = lambda t: [-v for v in reversed(t)] + list(t)
    best = min(tables, key=lambda t: (round(least_loss(symmetric(t)), 10), -t[-1]))
    return symmetric(best)


def normal_float_levels():
    """NormalFloat of 4 bits: quantiles of N(0, 1), 7 below zero and 8 above it that
    are evenly apart in probability, and zero; the largest become 127."""
    outermost = (31 / 32 + 29 / 30) / 2
    quantile = statistics.NormalDist().inv_cdf

    def side(n):
        values = [quantile(outermost + (0.5 - outermost) * i / n) for i in range(n)]
        return [math.floor(127 * v / values[0] + 0.5) for v in values]

    return [-v for v in side(7)] + [0] + side(8)[::-1]


def make_format(name, rotation, group, offset, bits, levels):
    return {
        "name": name,
        "rotation": rotation,
        "scale": {"type": "f16", "group": group, "offset": offset},
        "codebook": {"kind": "table", "bits": bits, "levels": levels},
        "coding": {"kind": "fixed", "bits": bits},
    }


def source_of(file):
    return (pathlib.Path(__file__).parents[2] / "lib/Codec" / file).read_text()


def trained(file, name):
    """A table of lib/Codec, which is data and not a computation."""
    text = source_of(file)
    body = re.search(rf"int8_t {name}\[\] = {{[^\n]*(.*?)}}", text, re.DOTALL)[1]
    return [int(v) for v in re.findall(r"-?\d+", body)]


def make_grid(name, group, bits, dim, points):
    return {
        "name": name,
        "rotation": {"kind": "hadamard", "block": 256},
        "scale": {"type": "f16", "group": group, "offset": False},
        "codebook": {
            "kind": "grid",
            "bits": bits,
            "dim": dim,
            "signs": True,
            "points": bytes(points).hex(),
        },
        "coding": {"kind": "field", "bits": bits, "dim": dim},
    }


def make_by_row(name, codebook, coding):
    return {
        "name": name,
        "rotation": {"kind": "hadamard", "block": 256},
        "scale": {"type": "f16", "group": "row", "offset": False},
        "codebook": codebook,
        "coding": coding,
    }


def make_frame(bits):
    vectors = trained("Frames.cpp", f"kFrame{bits}")
    deviation = re.search(rf"{{kFrame{bits}, (\d+)}}", source_of("Frames.cpp"))[1]
    codebook = {"kind": "frame", "bits": bits, "dim": 8, "deviation": int(deviation)}
    codebook |= {"vectors": bytes(v & 255 for v in vectors).hex()}
    return make_by_row(f"liftquant_w{bits}", codebook, {"kind": "field", "bits": bits, "dim": 8})


def formats():
    hadamard = {"kind": "hadamard", "block": 256}
    for bits in (2, 3, 4):
        levels = integer_levels(2**bits)
        yield make_format(f"rq{bits}", hadamard, 256, False, bits, levels)
    yield make_format("itq3_s", hadamard, 256, True, 3, [-1, 0, 1])
    levels = list(range(-8, 8))
    yield make_format("int4_g128", {"kind": "identity"}, 128, False, 4, levels)
    yield make_format("nf4", {"kind": "identity"}, 64, False, 4, normal_float_levels())
    yield make_grid("rq3v", 256, 13, 4, trained("Grids.cpp", "kRq3v"))
    for bits in range(7, 13):
        yield make_grid(f"qam_w{bits}", "row", bits, 2, trained("Grids.cpp", f"kQam{bits}"))
    for name, q, bits, multipliers in (
        ("hyperquant_3", 8, 26, [4, 5, 6, 8]),
        ("hyperquant_4", 16, 34, [3, 4, 5, 7]),
    ):
        codebook = {"kind": "voronoi", "bits": bits, "q": q, "multipliers": multipliers}
        yield make_by_row(name, codebook, {"kind": "field", "bits": bits, "dim": 8})
    for bits, deviation in ((3, 57), (4, 117), (5, 235)):
        codebook = {"kind": "lattice", "bits": 64, "deviation": deviation}
        yield make_by_row(f"hyperquant_rice_{bits}", codebook, {"kind": "rice", "bits": 64})
    for bits in (12, 16, 18, 20, 24):
        yield make_frame(bits)
    for rate in (2, 3, 4):
        codebook = {"kind": "trellis", "bits": 16, "rate": rate}
        codebook |= {"multiplier": 0x83DCD12D, "increment": 0}
        coding = {"kind": "window", "bits": 16, "rate": rate}
        yield make_by_row(f"trellis{rate}", codebook, coding)
    for rate in (2, 3):
        pairs = trained("Trellises.cpp", f"kPairs{rate}")
        codebook = {"kind": "pair_trellis", "bits": 16, "rate": rate}
        codebook |= {"multiplier": 23507, "deviation": 592}
        codebook |= {"points": bytes(v & 255 for v in pairs).hex()}
        coding = {"kind": "window", "bits": 16, "rate": rate, "dim": 2}
        yield make_by_row(f"trellis{rate}v", codebook, coding)


# --- Rows ------------------------------------------------------------------------


def round_up(x, m):
    return (x + m - 1) // m * m


def segments(k, block):
    """(offset, length) of the cut of a row."""
    if block == "row":
        return [(0, round_up(k, 32))]
    rest, at, length, out = round_up(k, 32), 0, block, []
    while rest:
        if length <= rest:
            out.append((at, length))
            at, rest = at + length, rest - length
        else:
            length //= 2
    return out


def rotate(row, fmt):
    if fmt["rotation"]["kind"] == "identity":
        return list(row)
    out = []
    for at, n in segments(len(row), fmt["rotation"]["block"]):
        x = row[at : at + n]
        h = 1
        while h < n:
            x = [f32(x[i ^ h] - x[i]) if i & h else f32(x[i] + x[i ^ h]) for i in range(n)]
            h *= 2
        factor = f32(1.0 / math.sqrt(n))
        out += [f32(v * factor) for v in x]
    return out


# --- The encoder -------------------------------------------------------------------


class Encoder:
    steps = 16

    def __init__(self, fmt):
        self.offset = fmt["scale"]["offset"]
        self.levels = [float(v) for v in fmt["codebook"]["levels"]]
        self.rms = f32(math.sqrt(f32(sum(v * v for v in self.levels) / len(self.levels))))
        self.reach = min(-self.levels[0], self.levels[-1])

    def assign(self, x, step, offset):
        cuts = [(a + b) / 2 for a, b in zip(self.levels, self.levels[1:])]
        cuts = [f32(f32(c * step) + offset) for c in cuts]
        return [sum(v > c for c in cuts) for v in x]

    def point(self, code):
        return [self.levels[min(code, len(self.levels) - 1)]]

    def moments(self, x, step, offset):
        q = [v for code in self.assign(x, step, offset) for v in self.point(code)]
        return (
            ordered_sum(f32(a * b) for a, b in zip(x, q)),
            ordered_sum(f32(b * b) for b in q),
            ordered_sum(q),
        )

    def line(self, x, total, m):
        """(gain, step, offset) of the best line through the moments."""
        xq, qq, q = m
        n = float(len(x))
        a, b = xq, qq
        if self.offset:
            a = f32(f32(n * xq) - f32(total * q))
            b = f32(f32(n * qq) - f32(q * q))
        if not (a > 0 and b > 0):
            return 0.0, 0.0, 0.0
        step = f32(a / b)
        offset = f32(f32(total - f32(step * q)) / n) if self.offset else 0.0
        return f32(f32(a * a) / b), step, offset

    def fit(self, x):
        n = float(len(x))
        total, squares = ordered_sum(x), ordered_sum(f32(v * v) for v in x)
        a = f32(f32(f32(0.85) * f32(math.sqrt(f32(squares / n)))) / self.rms)
        b = f32(max(abs(v) for v in x) / self.reach)
        step, ratio = min(a, b), f32(max(a, b) / min(a, b))
        for _ in range(self.steps.bit_length() - 1):
            ratio = f32(math.sqrt(ratio))
        best = (0.0, 0.0, 0.0)
        for _ in range(self.steps + 1):
            line = self.line(x, total, self.moments(x, step, 0.0))
            if line[0] > best[0]:
                best = line
            step = f32(step * ratio)
        if best[0] == 0:
            return 0.0, 0.0
        for _ in range(8):
            line = self.line(x, total, self.moments(x, best[1], best[2]))
            if not line[0] > best[0]:
                break
            best = line
        return best[1], best[2]

    def round_step(self, x, step, offset):
        h = half(step)
        if h >= 0x400:
            return h
        n = float(len(x))
        total, squares = ordered_sum(x), ordered_sum(f32(v * v) for v in x)

        def error(bits):
            s = from_half(bits)
            xq, qq, q = self.moments(x, s, offset) if bits else (0.0, 0.0, 0.0)
            e = f32(squares - f32(f32(2 * s) * xq))
            e = f32(e + f32(f32(s * s) * qq))
            e = f32(e - f32(f32(2 * offset) * f32(total - f32(s * q))))
            return f32(e + f32(f32(n * offset) * offset))

        best, least = h, error(h)
        for other in (h - 1, h + 1):
            if other >= 0 and error(other) < least:
                best, least = other, error(other)
        return best

    def segment(self, x):
        """(codes, f16 numbers) of one segment."""
        largest = max(abs(v) for v in x)
        step, offset = 0, 0
        if largest >= 2.0**32:
            step = 0x7BFF
        elif largest >= 2.0**-40:
            shape, mean = x, 0.0
            if self.offset:
                mean = f32(ordered_sum(x) / len(x))
                shape = [f32(v - mean) for v in x]
            s, o = 0.0, 0.0
            if max(abs(v) for v in shape) >= 2.0**-40:
                s, o = self.fit(shape)
            if self.offset:
                offset = half(f32(mean + o))
            step = self.round_step(x, s, from_half(offset))
        numbers = [step, offset] if self.offset else [step]
        if step == 0:
            return self.assign([0.0] * len(x), 1.0, 0.0), numbers
        return self.assign(x, from_half(step), from_half(offset)), numbers


class GridEncoder(Encoder):
    """Codes for several weights: an index of magnitudes, then signs."""

    steps = 4

    def __init__(self, fmt):
        book = fmt["codebook"]
        self.offset, self.dim = False, book["dim"]
        values = bytes.fromhex(book["points"])
        self.table = [values[i : i + self.dim] for i in range(0, len(values), self.dim)]
        self.index_bits = book["bits"] - self.dim
        self.norms = [32 * sum(v * v for v in p) for p in self.table]
        squares = count = 0.0
        last = None
        for code in range(1 << book["bits"]):
            point = self.point(code)
            if point != last:
                for v in point:
                    squares, count = f32(squares + v * v), count + 1
            last = point
        self.rms = f32(math.sqrt(f32(squares / count)))
        self.reach = float(max(values))
        self.found = {}

    def point(self, code):
        magnitudes = self.table[code & ((1 << self.index_bits) - 1)]
        signs = code >> self.index_bits
        return [float(-v if signs >> i & 1 else v) for i, v in enumerate(magnitudes)]

    def nearest(self, fixed):
        if fixed not in self.found:
            scores = [
                norm - sum(a * b for a, b in zip(fixed, point))
                for norm, point in zip(self.norms, self.table)
            ]
            self.found[fixed] = scores.index(min(scores))
        return self.found[fixed]

    def assign(self, x, step, offset):
        inverse, codes = f32(1 / step), []
        for at in range(0, len(x), self.dim):
            target = [f32(f32(v - offset) * inverse) for v in x[at : at + self.dim]]
            signs = sum((v < 0) << i for i, v in enumerate(target))
            fixed = [min(max(abs(v), -(2.0**20)), 2.0**20) for v in target]
            fixed = tuple(math.floor(v * 64 + 0.5) for v in fixed)
            codes.append(self.nearest(fixed) | signs << self.index_bits)
        return codes

    def moments(self, x, step, offset):
        q = [v for c in self.assign(x, step, offset) for v in self.point(c)]
        xq = qq = q1 = 0.0
        for a, b in zip(x, q):
            xq, qq, q1 = f32(xq + f32(a * b)), f32(qq + f32(b * b)), f32(q1 + b)
        return xq, qq, q1


# --- Steps that are not searched -------------------------------------------------------


class GaussianEncoder(Encoder):
    """With `step` for weights of unit variance."""

    def fit(self, x):
        squares = ordered_sum(f32(v * v) for v in x)
        return f32(self.step * f32(math.sqrt(f32(squares / len(x))))), 0.0

    def moments(self, x, step, offset):
        q = [v for code in self.assign(x, step, offset) for v in self.point(code)]
        xq = qq = total = 0.0
        for a, b in zip(x, q):
            xq, qq, total = f32(xq + f32(a * b)), f32(qq + b * b), f32(total + b)
        return xq, qq, total


# --- E8 ----------------------------------------------------------------------------


class Voronoi:
    """Codes for eight weights."""

    def __init__(self, codebook):
        self.q = codebook["q"]
        self.width = self.q.bit_length() - 1
        self.multipliers = codebook["multipliers"]

    def place(self, i):
        """The lowest bit of field i."""
        return (2 * (i % 4) + i // 4) * self.width

    def fields(self, y):
        a = [(y[i] - y[7]) // 2 for i in range(6)]
        a.append((y[6] - y[7] - 2 * sum(a)) // 4)
        return [v % self.q for v in a + [y[7]]]

    def vector(self, a):
        q = self.q
        c = [a[7] + 2 * a[i] for i in range(6)]
        c += [a[7] + 2 * sum(a[:6]) + 4 * a[6], a[7]]
        length = lambda r: r if r >= 0 else -r - 1
        even = [(v + q) % (2 * q) - q for v in c]
        shift = 0 if sum(length(r) for r in even) > 4 * q - 4 else q
        multiples = [(v + shift) // (2 * q) for v in c]
        r = [(v + shift) % (2 * q) - q for v in c]
        if sum(multiples) % 2:
            at = max(range(8), key=lambda i: (length(r[i]), i))
            r[at] += -2 * q if r[at] >= 0 else 2 * q
        return r

    def point(self, code):
        a = [code >> self.place(i) & (self.q - 1) for i in range(8)]
        m = self.multipliers[code >> 8 * self.width]
        z, out = self.vector(a), []
        for half in (z[:4], z[4:]):
            word = sum((m * v + 128) << 8 * i for i, v in enumerate(half))
            out += [(word >> 8 * i & 255) - 128 for i in range(4)]
        return out

    @staticmethod
    def nearest(x, inverse, odd):
        values = [f32(f32(v * inverse) - 0.5 * odd) for v in x]
        whole = [round(v) for v in values]
        y = [2 * h + odd for h in whole]
        if sum(whole) % 2:
            rests = [f32(v - h) for v, h in zip(values, whole)]
            at = max(range(8), key=lambda i: (abs(rests[i]), -i))
            y[at] += 2 if rests[at] >= 0 else -2
        return y

    def encode(self, x):
        """The code of eight weights in 1/64."""
        distance = lambda m, y: sum((v - 64 * m * w) ** 2 for v, w in zip(x, y))
        best, least = 0, sum(v * v for v in x)
        pulled = [16 * v for v in x]
        bounds, found = [0] * 4, False
        for pull in range(48):
            for choice, m in enumerate(self.multipliers):
                if bounds[choice] >= least:
                    continue
                near = [self.nearest(pulled, f32(1.0 / (2048 * m)), odd) for odd in (0, 1)]
                if pull == 0:
                    near.sort(key=lambda y: distance(m, y))
                    bounds[choice] = distance(m, near[0])
                for y in near:
                    if pull == 0 and distance(m, y) >= least:
                        continue
                    a = self.fields(y)
                    z = self.vector(a)
                    if pull > 1 and z != y or any(abs(m * v) > 127 for v in z):
                        continue
                    found = found or pull > 1
                    if distance(m, z) < least:
                        least = distance(m, z)
                        best = choice << 8 * self.width
                        best |= sum(v << self.place(i) for i, v in enumerate(a))
            if all(b >= least for b in bounds):
                break
            if pull > 0 and (found or least <= 8 * (64 * self.multipliers[3]) ** 2):
                break
            pulled = [v - int(v / 16) for v in pulled]
        return best


class VoronoiEncoder(GaussianEncoder):
    def __init__(self, fmt):
        self.offset = False
        self.code = Voronoi(fmt["codebook"])
        self.step = f32(f32(1.49283) / float(self.code.q * self.code.multipliers[0]))

    def assign(self, x, step, offset):
        inverse, codes = f32(1.0 / step), []
        for at in range(0, len(x), 8):
            values = [max(-127.0, min(127.0, f32(v * inverse))) for v in x[at : at + 8]]
            codes.append(self.code.encode([round(64 * v) for v in values]))
        return codes

    def point(self, code):
        return [float(v) for v in self.code.point(code)]


class LatticeEncoder(GaussianEncoder):
    """Points of 2 E8, as they are."""

    def __init__(self, fmt):
        self.offset = False
        self.step = f32(16 / fmt["codebook"]["deviation"])

    @staticmethod
    def nearest(x, odd):
        """(error, point) of the nearest one with odd coordinates, or even ones."""
        x = [max(-125.0, min(125.0, v)) for v in x]
        point = [2 * round(f32(f32(v - odd) * 0.5)) + odd for v in x]
        rests = [f32(v - p) for v, p in zip(x, point)]
        if sum(point) % 4:
            at = max(range(8), key=lambda i: abs(rests[i]))
            step = 2 if rests[at] >= 0 else -2
            point[at] += step
            rests[at] = f32(rests[at] - step)
        error = 0.0
        for rest in rests:
            error = f32(error + f32(rest * rest))
        return error, point

    def assign(self, x, step, offset):
        inverse, codes = f32(1.0 / step), []
        for at in range(0, len(x), 8):
            target = [f32(f32(v - offset) * inverse) for v in x[at : at + 8]]
            best = min((self.nearest(target, odd) for odd in (0, 1)), key=lambda pair: pair[0])
            codes.append(int.from_bytes(struct.pack("8b", *best[1]), "little"))
        return codes

    def point(self, code):
        return [float(v) for v in struct.unpack("8b", code.to_bytes(8, "little"))]


# --- Frames ------------------------------------------------------------------------


class FrameEncoder(GaussianEncoder):
    """Codes whose bits are the signs of vectors that are added up."""

    def __init__(self, fmt):
        book = fmt["codebook"]
        self.offset, self.dim, self.bits = False, book["dim"], book["bits"]
        self.step = f32(16 / book["deviation"])
        values = struct.unpack(f"{self.bits * self.dim}b", bytes.fromhex(book["vectors"]))
        self.vectors = [values[i : i + self.dim] for i in range(0, len(values), self.dim)]
        # Vectors along an axis of their own, whose signs are those of what the
        # others leave: coordinate -> (bit, value).
        self.axes = {}
        for bit, vector in enumerate(self.vectors):
            places = [i for i, v in enumerate(vector) if v]
            if len(places) != 1 or places[0] in self.axes:
                break
            self.axes[places[0]] = bit, vector[places[0]]
        # Of the others, every sum: a list a coordinate, in the order of codes.
        self.sums = [[0] for _ in range(self.dim)]
        for vector in self.vectors[len(self.axes) :]:
            self.sums = [[s - v for s in l] + [s + v for s in l] for l, v in zip(self.sums, vector)]
        self.found = {}

    def point(self, code):
        signs = [1 if code >> j & 1 else -1 for j in range(self.bits)]
        return [float(sum(s * v for s, v in zip(signs, row))) for row in zip(*self.vectors)]

    def nearest(self, x):
        """The lowest code of least distance from `x`, whose coordinates are in 1/32."""
        distances = []
        for i, sums in enumerate(self.sums):
            axis = abs(self.axes[i][1]) if i in self.axes else 0
            reach = max(sums)
            square = [(abs(x[i] - 32 * s) - 32 * axis) ** 2 for s in range(-reach, reach + 1)]
            # Sums below 0 count from the end.
            square = square[reach:] + square[:reach]
            distances.append(map(square.__getitem__, sums))
        total = list(map(sum, zip(*distances)))
        best = total.index(min(total))
        code = best << len(self.axes)
        for i, (bit, value) in self.axes.items():
            rest = x[i] - 32 * self.sums[i][best]
            code |= (rest * value > 0) << bit
        return code

    def assign(self, x, step, offset):
        inverse, codes = f32(1 / step), []
        for at in range(0, len(x), self.dim):
            target = [f32(f32(v - offset) * inverse) for v in x[at : at + self.dim]]
            fixed = tuple(math.floor(min(max(v, -384.0), 384.0) * 32 + 0.5) for v in target)
            if fixed not in self.found:
                self.found[fixed] = self.nearest(fixed)
            codes.append(self.found[fixed])
        return codes


# --- Trellises -----------------------------------------------------------------------


class TrellisEncoder(GaussianEncoder):
    """Codes that are states of a path."""

    def __init__(self, fmt):
        self.offset, self.dim = False, fmt["coding"].get("dim", 1)
        self.prepare(fmt["codebook"])
        # New bits of a state.
        self.bits = fmt["coding"]["rate"] * self.dim
        # From here on states have their newest bit lowest.
        self.points = [
            tuple(map(int, self.point(self.mirrored(state)))) for state in range(1 << 16)
        ]
        self.overlaps = 1 << 16 - self.bits
        self.found = {}

    def round_step(self, x, step, offset):
        return half(step)

    def prepare(self, book):
        self.multiplier, self.increment = book["multiplier"], book["increment"]
        points = [int(self.point(state)[0]) for state in range(1 << 16)]
        rms = f32(math.sqrt(f32(f32(sum(p * p for p in points)) / 65536)))
        self.step = f32(f32(f32(0.9) + f32(f32(0.04) * book["rate"])) / rms)

    @staticmethod
    def mirrored(state):
        return int(f"{state:016b}"[::-1], 2)

    def point(self, code):
        h = (code * self.multiplier + self.increment) % 2**32
        return [float(sum(h.to_bytes(4, "little")) // 4 - 128)]

    @staticmethod
    def distance(point, x):
        """Of what a state has and the weights that it is for."""
        total = 0
        for p, v in zip(point, x):
            twice = min(2 * abs(max(-32768, min(32767, 256 * p - v))), 65535)
            total += twice * twice >> 16
        return min(total, 65535)

    def advance(self, x):
        """The costs before every state and behind the last, given the first."""
        least, kinds = 0, set(self.points)
        for v in x:
            table = {p: self.distance(p, v) for p in kinds}
            sums = list(
                map(
                    operator.add,
                    # State s comes from overlap s >> bits.
                    itertools.chain.from_iterable(
                        map(itertools.repeat, self.costs[-1], itertools.repeat(1 << self.bits))
                    ),
                    map(table.__getitem__, self.points),
                )
            )
            at = range(0, 1 << 16, self.overlaps)
            best = map(min, *(sums[i : i + self.overlaps] for i in at))
            self.costs.append([min(c, 65535) - least for c in best])
            least = min(self.costs[-1])

    def state(self, i, v, overlap):
        """The best state i with `overlap` behind it."""
        states = range(overlap, 1 << 16, self.overlaps)
        costs = self.costs[i]
        return min(states, key=lambda s: costs[s >> self.bits] + self.distance(self.points[s], v))

    def circle(self, x):
        n, start, seam = len(x), 0, None
        states = [0] * n
        for _ in range(3):
            start = (start + n // 2) % n
            turned = x[start:] + x[:start]
            self.costs = [[0 if seam is None else 65535] * self.overlaps]
            if seam is not None:
                self.costs[0][seam] = 0
            self.advance(turned)
            last = self.costs[-1]
            overlap = last.index(min(last)) if seam is None else seam
            for i in reversed(range(n)):
                state = self.state(i, turned[i], overlap)
                states[(start + i) % n] = state
                overlap = state >> self.bits
                if i == n // 2:
                    seam = overlap
        # The codes are what the new bits say.
        state, codes = 0, []
        for s in states + states:
            state = (state << self.bits | s % (1 << self.bits)) % 65536
            codes.append(self.mirrored(state))
        return codes[n:]

    def assign(self, x, step, offset):
        inverse, codes = f32(256 / step), []
        scaled = [f32(f32(v - offset) * inverse) for v in x]
        scaled = tuple(round(min(max(v, -32767.0), 32767.0)) for v in scaled)
        for at in range(0, len(x), 256):
            part = scaled[at : at + 256]
            part = tuple(part[i : i + self.dim] for i in range(0, len(part), self.dim))
            if part not in self.found:
                self.found[part] = self.circle(part)
            codes += self.found[part]
        return codes


class PairTrellisEncoder(TrellisEncoder):
    """States of which every one has two weights."""

    def prepare(self, book):
        self.multiplier, self.step = book["multiplier"], f32(16 / book["deviation"])
        values = struct.unpack("1024b", bytes.fromhex(book["points"]))
        self.pairs = list(zip(values[::2], values[1::2]))

    def point(self, code):
        h = code * self.multiplier % 65536
        return [float(v) for v in self.pairs[h // 128 % 256 + 256 * (h // 2 % 2)]]


def make_encoder(fmt):
    kinds = {
        "frame": FrameEncoder,
        "grid": GridEncoder,
        "lattice": LatticeEncoder,
        "pair_trellis": PairTrellisEncoder,
        "trellis": TrellisEncoder,
        "voronoi": VoronoiEncoder,
    }
    return kinds.get(fmt["codebook"]["kind"], Encoder)(fmt)


# --- The blob ------------------------------------------------------------------------


def plane_widths(fmt):
    """Bits of a code in every plane."""
    bits = fmt["coding"]["bits"]
    if fmt["coding"]["kind"] == "rice":
        return [bits]
    if fmt["coding"]["kind"] == "field":
        return [32, bits - 32] if bits > 32 else [bits]
    if fmt["coding"]["kind"] == "window":
        return [fmt["coding"]["rate"] * weights_per_code(fmt)]
    return [2, 1] if bits == 3 else [bits]


def weights_per_code(fmt):
    return 8 if fmt["coding"]["kind"] == "rice" else fmt["coding"].get("dim", 1)


def layout(fmt, n, k):
    """(plane offsets, offset of the scales, bytes in all)."""
    offsets, end = [], 0
    for width in plane_widths(fmt):
        offsets.append(round_up(end, 16))
        end = offsets[-1] + n * round_up(k, 64) // weights_per_code(fmt) * width // 8
    scales = round_up(end, 16)
    numbers = len(segments(k, fmt["scale"]["group"])) * (2 if fmt["scale"]["offset"] else 1)
    return offsets, scales, scales + 2 * n * numbers


def code_bits(fmt, n, k):
    """(row, number and bit of the code, bit of the blob) of every stored bit."""
    if fmt["coding"]["kind"] == "window":
        yield from window_bits(fmt, n, k)
        return
    offsets, _, _ = layout(fmt, n, k)
    stored = round_up(k, 64) // weights_per_code(fmt)
    low = 0
    for width, offset in zip(plane_widths(fmt), offsets):
        for row in range(n):
            for i in range(stored):
                if fmt["coding"]["kind"] in ("field", "rice"):
                    at = 8 * offset + (row * stored + i) * width
                    for b in range(width):
                        yield row, i, low + b, at + b
                    continue
                word = row * stored * width // 32 + i // (32 // width)
                inside = i % (32 // width)
                at = 8 * offset + 32 * word + 4 * (inside % 8) + width * (inside // 8)
                for b in range(width):
                    yield row, i, low + b, at + b
        low += width


def window_bits(fmt, n, k):
    """The same where every bit belongs to several codes."""
    rate, stored, padded = fmt["coding"]["rate"], round_up(k, 64), round_up(k, 32)
    dim = weights_per_code(fmt)
    for row in range(n):
        for i in range(0, padded, dim):
            first = i - i % 256
            bits = rate * (min(padded, first + 256) - first)
            for b in range(16):
                at = ((i - first + dim) * rate - 16 + b) % bits
                yield row, i // dim, b, (row * stored + first) * rate + at


def encode(fmt, rows, n, k):
    _, scales, total = layout(fmt, n, k)
    blob = bytearray(total)
    encoder = make_encoder(fmt)
    stored = round_up(k, 64) // weights_per_code(fmt)
    codes, numbers = [], []
    for row in rows:
        x = rotate(row + [0.0] * (round_up(k, 32) - k), fmt)
        line = []
        for at, length in segments(k, fmt["scale"]["group"]):
            c, h = encoder.segment(x[at : at + length])
            line += c
            numbers += h
        codes.append(line + [0] * (stored - len(line)))
    for row, i, bit, at in code_bits(fmt, n, k):
        blob[at // 8] |= (codes[row][i] >> bit & 1) << at % 8
    blob[scales:] = struct.pack(f"<{len(numbers)}H", *numbers)
    return bytes(blob)


def decode(fmt, blob, n, k):
    _, scales, total = layout(fmt, n, k)
    assert len(blob) == total
    point = make_encoder(fmt).point
    codes = [[0] * (round_up(k, 64) // weights_per_code(fmt)) for _ in range(n)]
    for row, i, bit, at in code_bits(fmt, n, k):
        codes[row][i] |= (blob[at // 8] >> at % 8 & 1) << bit
    numbers = iter(struct.unpack(f"<{(total - scales) // 2}H", blob[scales:]))
    out = []
    for row in range(n):
        x = []
        points = [v for code in codes[row] for v in point(code)]
        for at, length in segments(k, fmt["scale"]["group"]):
            step = from_half(next(numbers))
            offset = from_half(next(numbers)) if fmt["scale"]["offset"] else None
            for q in points[at : at + length]:
                v = f32(step * q)
                x.append(v if offset is None else f32(v + offset))
        out.append(rotate(x, fmt)[:k])
    return out


# --- Rice codes ------------------------------------------------------------------------


def rice_symbols(point):
    c = point[0] % 2
    s = [(v - c) // 2 for v in point]
    z = [2 * v if v >= 0 else -2 * v - 1 for v in (*s[:7], (s[7] - sum(s[:7]) % 2) // 2)]
    return [*z[:7], 2 * z[7] + c]


def rice_stream(symbols):
    """(k, words) of a stream."""
    k = min(range(8), key=lambda k: sum(z // 2**k + 1 + k for z in symbols))
    bits = "".join("0" * (z >> k) + "1" + f"{z % 2**k:0{k}b}"[:k] for z in symbols)
    bits += "0" * (-len(bits) % 32)
    return k, [int(bits[i : i + 32], 2) for i in range(0, len(bits), 32)]


def check_of(data):
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x8408 if value & 1 else 0)
    return value


def compress(fmt, blob, n, k):
    """What archives hold of a blob."""
    _, scales, _ = layout(fmt, n, k)
    columns, stored, row_bytes = round_up(k, 32), round_up(k, 64), (len(blob) - scales) // n
    streams, words, starts, checks = [], [], [0], []
    for row in range(n):
        line = struct.unpack(f"{columns}b", blob[row * stored : row * stored + columns])
        symbols = [z for i in range(0, columns, 8) for z in rice_symbols(line[i : i + 8])]
        for at in range(0, columns, 512):
            k_of, of_stream = rice_stream(symbols[at : at + 512])
            data = bytes([k_of]) + struct.pack(f"<{len(of_stream)}I", *of_stream)
            if at == 0:
                data += blob[scales + row * row_bytes :][:row_bytes]
            checks.append(check_of(data))
            streams.append(k_of)
            words += of_stream
            starts.append(len(words))
    parts = struct.pack("<4I", 0x32527152, n, k, len(words)) + blob[scales:]
    parts += bytes(-len(parts) % 4) + struct.pack(f"<{len(starts)}I", *starts)
    parts += struct.pack(f"<{len(checks)}H", *checks) + bytes(streams)
    return parts + bytes(-len(parts) % 4) + struct.pack(f"<{len(words)}I", *words)


# --- Vectors ---------------------------------------------------------------------------

RULE = (
    "state = seed; a draw is state = (1664525 * state + 1013904223) mod 2^32, "
    "then state >> 20; a weight is 2^exponent * (sum of 12 draws - 24570), "
    "row after row; rows in zeroRows are zero but draw all the same"
)


class Draws:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return self.state >> 20


def weights(case):
    draws, rows = Draws(case["seed"]), []
    for row in range(case["n"]):
        x = [sum(draws.next() for _ in range(12)) - 24570 for _ in range(case["k"])]
        zero = row in case["zeroRows"]
        rows.append([0.0 if zero else v * 2.0 ** case["exponent"] for v in x])
    return rows


def hexadecimal(rows):
    return b"".join(struct.pack("<f", v) for row in rows for v in row).hex()


def vectors(fmt):
    encodes, decodes = [], []
    for n, k, exponent, zero in (
        (1, 256, -17, []),
        (3, 100, -17, [1]),
        (1, 353, -17, []),
        (2, 32, -36, []),  # steps below 2^-14
        (1, 64, 16, []),  # steps beyond f16
        (1, 1, -12, []),
    ):
        case = {"n": n, "k": k, "seed": 1000 * n + k, "exponent": exponent, "zeroRows": zero}
        blob = encode(fmt, weights(case), n, k)
        decoded = hexadecimal(decode(fmt, blob, n, k))
        encodes.append(case | {"blob": blob.hex(), "decoded": decoded})
        if fmt["coding"]["kind"] == "rice":
            encodes[-1]["compressed"] = compress(fmt, blob, n, k).hex()
    # Every code, used or not, with steps and offsets of any finite value.
    for n, k in ((2, 96), (1, 288)):
        draws = Draws(n + k)
        _, scales, total = layout(fmt, n, k)
        blob = bytearray(draws.next() >> 4 for _ in range(total))
        for at in range(scales + 1, total, 2):
            blob[at] &= 0xBF  # exponent below 16: magnitude below 2
        decoded = hexadecimal(decode(fmt, bytes(blob), n, k))
        decodes.append({"n": n, "k": k, "blob": blob.hex(), "decoded": decoded})
    return {"rule": RULE, "format": fmt, "encode": encodes, "decode": decodes}


def main():
    folder = pathlib.Path(__file__).resolve().parent
    stale = []
    for fmt in formats():
        path = folder / f"{fmt['name']}.json"
        text = json.dumps(vectors(fmt), indent=1) + "\n"
        # Levels and multipliers on one line.
        for numbers in (fmt["codebook"].get(key) for key in ("levels", "multipliers")):
            if numbers:
                spread = json.dumps(numbers, indent=1).replace("\n", "\n   ")
                text = text.replace(spread, json.dumps(numbers))
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(path.name)
    if stale:
        sys.exit(f"out of date: {', '.join(stale)}")


if __name__ == "__main__":
    main()
