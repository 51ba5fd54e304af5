# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Figures of what run_gpu measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
# Text stays text, and a figure drawn twice is the same file.
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rotq", "font.size": 9})

from matplotlib import pyplot

ROTQ_FORMATS = ["rq2", "rq3", "itq3_s", "rq4", "int4_g128"]
#: Bytes of an element of x and of y.
ELEMENTS = {"f16": (2, 2), "int8": (1, 4)}
ROTQ_ELEMENTS = (1, 2)
MARKERS = "osv^DPX*"


def best(rows: Iterable[dict]) -> dict | None:
    """Of the ways to launch a kernel, the faster."""
    return min(rows, key=lambda row: row["us"], default=None)


def of(rows: list[dict], **wanted) -> list[dict]:
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def shapes_of(rows: list[dict]) -> list[tuple[int, int]]:
    return sorted({(row["N"], row["K"]) for row in of(rows, who="rotq")}, key=lambda s: s[0] * s[1])


def draw_share(rows: list[dict], figure) -> None:
    """Share of the read ceiling at M = 1, by shape: bars, and the floor as a line."""
    shapes = shapes_of(rows)
    names = [name for name in ROTQ_FORMATS if of(rows, who="rotq", format=name, M=1)]
    axes = figure.subplots()
    width = 0.8 / (len(names) + 1)
    for i, name in enumerate([*names, "f16"]):
        who = "cublas" if name == "f16" else "rotq"
        for j, (n, k) in enumerate(shapes):
            at = j + (i - len(names) / 2) * width
            row = best(of(rows, who=who, format=name, N=n, K=k, M=1))
            if row:
                label = f"{who} {name}" if j == 0 else None
                color = "0.6" if name == "f16" else f"C{i}"
                axes.bar(at, 100 * row["share"], 0.9 * width, color=color, label=label)
            floor = best(of(rows, who="read", format=name, N=n, K=k))
            if floor:
                label = "a read of as many bytes" if i == j == 0 else None
                ends = (at - width / 2, at + width / 2)
                axes.hlines(100 * floor["share"], *ends, color="black", label=label)
    axes.set_xticks(range(len(shapes)), [f"{n} x {k}" for n, k in shapes])
    axes.set_ylabel("share of the read ceiling, %")
    axes.set_title("M = 1, the faster way to launch")
    axes.set_ylim(0, 125)
    axes.set_yticks(range(0, 101, 20))
    axes.legend(ncols=4, loc="upper center")


def draw_times(rows: list[dict], figure) -> None:
    """Time against M, for the smallest and the largest shape."""
    shapes = shapes_of(rows)
    kinds = [("rotq", "rq3"), ("cublas", "f16"), ("cublas", "int8"), ("torch int4", "int4_g128")]
    chosen = list(dict.fromkeys([shapes[0], shapes[-1]]))
    for axes, (n, k) in zip(figure.subplots(1, len(chosen), squeeze=False)[0], chosen):
        for (who, name), marker in zip(kinds, MARKERS):
            found = of(rows, who=who, format=name, N=n, K=k)
            points = [best(of(found, M=m)) for m in sorted({row["M"] for row in found})]
            if points:
                ms, us = [row["M"] for row in points], [row["us"] for row in points]
                label = who if who.endswith("int4") else f"{who} {name}"
                axes.loglog(ms, us, marker=marker, markersize=4, label=label)
        axes.set_title(f"{n} x {k}")
        axes.set_xlabel("M")
        axes.set_ylabel("microseconds")
        axes.grid(alpha=0.3)
        axes.legend()


def draw_roofline(result: dict, figure) -> None:
    """Operations a second against operations a byte, under what this device read and
    multiplied at best."""
    rows = result["rows"]
    axes = figure.subplots()
    kinds = [("rotq", "rq3"), ("rotq", "rq4"), ("cublas", "f16"), ("cublas", "int8")]
    intensities = []
    for (who, name), marker in zip(kinds, MARKERS):
        points = []
        for row in of(rows, who=who, format=name):
            if not row["M"]:
                continue
            n, k, m = row["N"], row["K"], row["M"]
            x, y = ELEMENTS.get(name, ROTQ_ELEMENTS)
            moved = n * k * row["bits"] / 8 + x * m * k + y * m * n
            operations = 2 * m * n * k
            points.append((operations / moved, operations / row["us"] / 1e6))
        if points:
            intensities += [intensity for intensity, _ in points]
            axes.loglog(*zip(*points), marker, markersize=4, alpha=0.7, label=f"{who} {name}")
    if not intensities:
        return
    ends = [min(intensities) / 2, max(intensities) * 2]
    memory = [intensity * result["ceiling_gbs"] / 1e3 for intensity in ends]
    roofs = {
        "int8": result.get("ceiling_int8_tops"),
        "f16": result.get("ceiling_f16_tops"),
    }
    roofs = {name: height for name, height in roofs.items() if height}
    top = max([*roofs.values(), memory[0]]) if roofs else memory[1]
    slope = [ends[0], top / result["ceiling_gbs"] * 1e3]
    axes.loglog(slope, [memory[0], top], "black", label="read ceiling")
    for (name, height), style in zip(roofs.items(), ["--", ":"]):
        axes.axhline(height, color="black", linestyle=style, label=f"cublas {name}, 8192 cubed")
    axes.set_xlabel("operations per byte of weight, x and y")
    axes.set_ylabel("10¹² operations a second")
    axes.grid(alpha=0.3)
    axes.legend()


def draw(result: dict, out: Path) -> list[Path]:
    """Writes the figures; returns their files."""
    rows = result["rows"]
    figures: dict[str, tuple[Callable, tuple[float, float]]] = {
        "share": (lambda figure: draw_share(rows, figure), (9, 4)),
        "time": (lambda figure: draw_times(rows, figure), (9, 4)),
        "roofline": (lambda figure: draw_roofline(result, figure), (7, 5)),
    }
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, (function, size) in figures.items():
        figure = pyplot.figure(figsize=size, layout="constrained")
        function(figure)
        figure.suptitle(f"{result['device']}, {result['date']}")
        path = out / f"{name}.svg"
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)
        paths.append(path)
    return paths
