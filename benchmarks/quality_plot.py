#!/usr/bin/env python3
# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws what `quality` measured: KL divergence against bits, with scales and without.

    benchmarks/quality_plot.py RESULTS.json FIGURE.svg

Needs matplotlib.
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
# Text stays text, and a figure drawn twice is the same file.
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rotq", "font.size": 9})

from matplotlib import pyplot

#: Nats: formats that destroy a model say nothing beside each other.
WORST = 5


def main() -> None:
    source, out = map(Path, sys.argv[1:])
    rows = [row for row in json.loads(source.read_text()) if row["activations"] == "f32"]
    rows = [row for row in rows if 0 < row["kl"] < WORST]
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for scales, label in ((False, "as they are"), (True, "with activation-aware scales")):
        chosen = [row for row in rows if row["scales"] is scales]
        bits, kl = [row["packed_bits"] for row in chosen], [row["kl"] for row in chosen]
        axes.scatter(bits, kl, color="C0" if scales else "0.6", label=label, zorder=2)
    # A format's points are joined; its name is on the side where more room is, and slants:
    # many have much the same bits, or the same divergence.
    places = sorted({(row["packed_bits"], row["format"]) for row in rows})
    for before, (bits, name), behind in zip(
        [(0, ""), *places], places, [*places[1:], (99, "")], strict=False
    ):
        kl = [row["kl"] for row in rows if row["format"] == name]
        axes.plot([bits] * len(kl), kl, color="0.8", zorder=1)
        on_right = behind[0] - bits >= bits - before[0]
        axes.annotate(
            name,
            (bits, min(kl)),
            xytext=(3, 3) if on_right else (-1, -3),
            textcoords="offset points",
            horizontalalignment="left" if on_right else "right",
            verticalalignment="bottom" if on_right else "top",
            rotation=35,
            rotation_mode="anchor",
            fontsize=7,
        )
    axes.set_yscale("log")
    axes.margins(x=0.12)
    axes.set_xlabel("bits a packed weight")
    axes.set_ylabel("KL divergence from the unquantized model, nats a token")
    first = rows[0]
    axes.set_title(f"{first['model']}, {first['tokens']:,} tokens of {first['text']}")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main()
