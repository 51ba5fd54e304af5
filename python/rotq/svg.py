# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Figures as inline SVG: points over two axes, and heat maps. They take their
colours from the classes in `style`, so that a page can have a dark side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .elements import Markup, element

#: Colours of a heat map, evenly spaced from the least to the most on white
#: paper (YlGnBu of ColorBrewer, safe for colour-blind readers); the reverse on black.
_COLOURS = ("#e9f6b4", "#c0e6b5", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#253494", "#0a1f5c")
STEPS = 24

#: Width of a character, in font sizes: of digits and lower-case letters.
_ADVANCE = 0.6


def _power(exponent: int) -> str:
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def number(value: float) -> str:
    """A number for a reader: three or four significant digits."""
    if not math.isfinite(value):
        return {math.inf: "infinite", -math.inf: "-infinite"}.get(value, "not a number")
    size = abs(value)
    if value == 0:
        return "0"
    if size < 1e-3 or size >= 1e6:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}·{_power(int(exponent))}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{3 - math.floor(math.log10(size))}f}"


@dataclass(frozen=True)
class Scale:
    """An interval of numbers, linear or logarithmic."""

    low: float
    high: float
    logarithmic: bool = False

    @staticmethod
    def around(
        values: Iterable[float], *, log_from: float = math.inf, margin: float = 0.0
    ) -> Scale:
        """The scale of `values`, with a share of `margin` left at both ends;
        logarithmic where the largest is `log_from` times the smallest."""
        values = list(values)
        low, high = min(values), max(values)
        logarithmic = low > 0 and high >= low * log_from
        if low == high:
            margin, low, high = 0.0, low - (abs(low) / 10 or 1.0), high + (abs(high) / 10 or 1.0)
        if logarithmic:
            rest = (high / low) ** margin
            return Scale(low / rest, high * rest, True)
        rest = (high - low) * margin
        return Scale(low - rest, high + rest)

    def share(self, value: float) -> float:
        """Where in the interval `value` is: 0 at its low end, 1 at its high one."""
        if self.low == self.high:
            return 0.5
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> list[float]:
        """At most `most` round numbers in the interval."""
        if self.logarithmic:
            for digits in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
                ticks = self._powers(digits)
                if len(ticks) <= most:
                    break
            else:
                ticks = ticks[:: math.ceil(len(ticks) / most)]
            if len(ticks) > 1:
                return ticks
        exact = (self.high - self.low) / most
        unit = 10.0 ** math.floor(math.log10(exact))
        step = next(unit * factor for factor in (1, 2, 2.5, 5, 10, 20) if unit * factor >= exact)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]

    def _powers(self, digits: Sequence[float]) -> list[float]:
        low, high = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        values = [digit * 10.0**power for power in range(low, high + 1) for digit in digits]
        near = 1e-9
        return [v for v in values if self.low * (1 - near) <= v <= self.high * (1 + near)]

    def step(self, value: float) -> int:
        """The colour of `value`; those outside have that of the nearest end."""
        if self.logarithmic and value <= 0:
            return 0
        return min(max(int(self.share(value) * STEPS), 0), STEPS - 1)


def _texts(ticks: Sequence[float], scale: Scale) -> list[str]:
    """Ticks as text: as many digits as each takes where they are powers, else as
    many behind the point as their step takes."""
    if scale.logarithmic or len(ticks) < 2 or max(map(abs, ticks)) >= 1e5:
        return [_tick(value) for value in ticks]
    step = ticks[1] - ticks[0]
    digits = next((d for d in range(9) if abs(round(step, d) - step) < step / 1e6), None)
    return [_tick(v) if digits is None else f"{round(v, digits) + 0.0:.{digits}f}" for v in ticks]


def _tick(value: float) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{round(value, 9):.6g}"
    mantissa, exponent = f"{value:.5e}".split("e")
    power = _power(int(exponent))
    return power if float(mantissa) == 1 else f"{float(mantissa):g}·{power}"


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    label: str
    tooltip: str


@dataclass(frozen=True)
class Line:
    """A horizontal line."""

    y: float
    label: str


def frontier(points: Iterable[Point]) -> list[Point]:
    """The points that no other is left of and below, from left to right."""
    result: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, p.y)):
        if not result or point.y < result[-1].y:
            result.append(point)
    return result


class _Box:
    """The area between the axes of a figure."""

    width, height = 460, 330
    left, right, top, bottom = 62, 446, 14, 282
    font = 12

    def __init__(self, x: Scale, y: Scale):
        self.x_scale, self.y_scale = x, y

    def x(self, value: float) -> float:
        return self.left + self.x_scale.share(value) * (self.right - self.left)

    def y(self, value: float) -> float:
        return self.bottom - self.y_scale.share(value) * (self.bottom - self.top)


def scatter(
    points: Sequence[Point], *, title: str, x_label: str, y_label: str, line: Line | None = None
) -> Markup:
    """Points with their labels; those of the frontier are joined. The vertical
    axis is logarithmic where values are far apart, and says so."""
    lowest = [line.y] if line else []
    x = Scale.around([p.x for p in points], margin=0.12)
    y = Scale.around([*(p.y for p in points), *lowest], log_from=4, margin=0.1)
    if not y.logarithmic and y.low < 0 <= min(p.y for p in points):
        y = Scale(0.0, y.high)
    box = _Box(x, y)
    best = frontier(points)
    path = "M" + "L".join(f"{box.x(p.x):.1f} {box.y(p.y):.1f}" for p in best)
    return element(
        "svg",
        element("title", title),
        *_axes(box, x_label, y_label + (" (logarithmic)" if y.logarithmic else "")),
        element("path", d=path, class_="frontier") if len(best) > 1 else None,
        *(_reference(box, line) if line else ()),
        *(_marker(box, point, point in best) for point in points),
        *_labels(box, points, best, line),
        viewBox=f"0 0 {box.width} {box.height}",
        role="img",
        class_="scatter",
    )


def _axes(box: _Box, x_label: str, y_label: str) -> Iterable[Markup]:
    ticks = box.y_scale.ticks(7)
    for value, text in zip(ticks, _texts(ticks, box.y_scale), strict=True):
        y = box.y(value)
        yield element("line", x1=box.left, x2=box.right, y1=y, y2=y, class_="grid")
        yield element("text", text, x=box.left - 7, y=y + 4, text_anchor="end")
    ticks = box.x_scale.ticks(7)
    for value, text in zip(ticks, _texts(ticks, box.x_scale), strict=True):
        x = box.x(value)
        yield element("line", x1=x, x2=x, y1=box.bottom, y2=box.bottom + 4, class_="axis")
        yield element("text", text, x=x, y=box.bottom + 18, text_anchor="middle")
    yield element("line", x1=box.left, x2=box.right, y1=box.bottom, y2=box.bottom, class_="axis")
    middle = (box.top + box.bottom) / 2
    yield element("text", x_label, x=(box.left + box.right) / 2, y=box.height - 10, class_="name")
    yield element(
        "text", y_label, x=12, y=middle, transform=f"rotate(-90 12 {middle:g})", class_="name"
    )


def _reference(box: _Box, line: Line) -> Iterable[Markup]:
    y = box.y(line.y)
    yield element("line", x1=box.left, x2=box.right, y1=y, y2=y, class_="reference")
    yield element("text", line.label, x=box.right, y=y + 14, text_anchor="end", class_="reference")


def _marker(box: _Box, point: Point, best: bool) -> Markup:
    kind = "point" if best else "point beaten"
    title = element("title", point.tooltip)
    return element("circle", title, cx=box.x(point.x), cy=box.y(point.y), r=5, class_=kind)


def _labels(
    box: _Box, points: Sequence[Point], best: Sequence[Point], line: Line | None
) -> Iterable[Markup]:
    """Labels beside their points, where they cover neither points nor lines nor
    each other; the least bad place where there is none."""
    taken = [(box.x(p.x) - 6, box.y(p.y) - 6, box.x(p.x) + 6, box.y(p.y) + 6) for p in points]
    for a, b in pairwise(best):
        for share in (index / 40 for index in range(41)):
            x = box.x(a.x) + share * (box.x(b.x) - box.x(a.x))
            y = box.y(a.y) + share * (box.y(b.y) - box.y(a.y))
            taken.append((x - 3, y - 3, x + 3, y + 3))
    if line:
        y = box.y(line.y)
        width = _ADVANCE * box.font * len(line.label)
        taken += [(box.left, y - 1, box.right, y + 1), (box.right - width, y, box.right, y + 17)]
    for point in points:
        x, y = box.x(point.x), box.y(point.y)
        width = _ADVANCE * box.font * len(point.label)
        places = [
            (left, top, left + width, top + box.font)
            for top in (y - 19, y - 6, y + 8, y - 32, y + 21)
            for left in (x + 9, x - width / 2, x - width - 9)
        ]
        place = min(places, key=lambda place: _cost(place, taken, box))
        taken.append(place)
        yield element("text", point.label, x=place[0], y=place[3] - 2, class_="label")


def _cost(place: tuple, taken: Sequence[tuple], box: _Box) -> float:
    left, top, right, bottom = place
    outside = max(box.left - left, 0) + max(right - box.width, 0)
    outside += max(box.top - 12 - top, 0) + max(bottom - box.bottom, 0)
    covered = sum(
        max(min(right, other[2]) - max(left, other[0]), 0)
        * max(min(bottom, other[3]) - max(top, other[1]), 0)
        for other in taken
    )
    return 1000 * outside + covered


@dataclass(frozen=True)
class Cell:
    """A cell of a heat map; without a colour where there is nothing to show."""

    step: int | None
    tooltip: str
    text: str | None = None
    marked: bool = False


_CELL_WIDTH, _CELL_HEIGHT, _MARGIN, _HEADER = 36, 14, 38, 22


def heat_map(
    cells: Mapping[tuple[int, str], Cell], rows: int, columns: Sequence[str], *, title: str
) -> Markup:
    """Cells by row and column; a marked one is framed."""
    width = _MARGIN + _CELL_WIDTH * len(columns) + 2
    height = _HEADER + _CELL_HEIGHT * rows + 2
    every = 1 if rows <= 12 else 5
    parts = [element("title", title), element("text", "layer", x=0, y=14)]
    for index, column in enumerate(columns):
        x = _MARGIN + _CELL_WIDTH * (index + 0.5)
        parts.append(element("text", column, x=x, y=14, text_anchor="middle", class_="head"))
    for row in range(rows):
        if row % every == 0:
            y = _HEADER + _CELL_HEIGHT * row + 11
            parts.append(element("text", row, x=_MARGIN - 6, y=y, text_anchor="end"))
    places = {
        (row, column): (_MARGIN + _CELL_WIDTH * index, _HEADER + _CELL_HEIGHT * row)
        for row in range(rows)
        for index, column in enumerate(columns)
    }
    # Frames come last: the neighbours would cover them.
    for key in sorted(places, key=lambda key: key in cells and cells[key].marked):
        if key in cells:
            parts.append(_cell(cells[key], *places[key]))
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        class_="heat",
    )


def _cell(cell: Cell, x: int, y: int) -> Markup:
    colour = "none" if cell.step is None else f"s{cell.step}"
    rect = element(
        "rect",
        element("title", cell.tooltip),
        x=x + 0.5,
        y=y + 0.5,
        width=_CELL_WIDTH - 1,
        height=_CELL_HEIGHT - 1,
        class_=f"{colour} marked" if cell.marked else colour,
    )
    if cell.text is None:
        return rect
    text = element(
        "text",
        cell.text,
        x=x + _CELL_WIDTH / 2,
        y=y + 11,
        text_anchor="middle",
        class_=None if cell.step is None else f"t{cell.step}",
    )
    return Markup(rect + text)


def legend(scale: Scale, *, title: str, label: str) -> Markup:
    """The colours of a scale, with numbers and what they are below."""
    left, right, height = 24, 316, 14
    width = (right - left) / STEPS
    parts = [element("title", title)]
    for step in range(STEPS):
        x = left + width * step
        parts.append(element("rect", x=x, y=2, width=width + 0.4, height=height, class_=f"s{step}"))
    end = -math.inf
    ticks = scale.ticks(8)
    for value, text in zip(ticks, _texts(ticks, scale), strict=True):
        x = left + scale.share(value) * (right - left)
        half = _ADVANCE * 11 * len(text) / 2
        parts.append(element("line", x1=x, x2=x, y1=height + 2, y2=height + 6, class_="axis"))
        if x - half > end + 4:
            parts.append(element("text", text, x=x, y=height + 18, text_anchor="middle"))
            end = x + half
    parts.append(element("text", label, x=(left + right) / 2, y=height + 35, class_="name"))
    return element("svg", *parts, viewBox="0 0 340 54", width=340, role="img", class_="legend")


def style() -> str:
    """The rules for the classes of figures, over the page's variables --text,
    --muted, --line, --accent and --page, and those of its dark side."""
    steps = [_mixed(index / (STEPS - 1)) for index in range(STEPS)]
    return "\n".join(
        [
            _RULES,
            _steps(steps),
            "@media (prefers-color-scheme: dark) {",
            _steps(steps[::-1]),
            "}",
        ]
    )


_RULES = """
svg { display: block; max-width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg text { fill: var(--muted); font-variant-numeric: tabular-nums; }
svg .name { text-anchor: middle; font-size: 12px; fill: var(--text); }
svg .label { font-size: 12px; font-weight: 600; fill: var(--text); paint-order: stroke;
  stroke: var(--page); stroke-width: 3px; }
svg .head { font-weight: 600; fill: var(--text); }
svg .grid { stroke: var(--line); }
svg .axis { stroke: var(--muted); }
svg .frontier { fill: none; stroke: var(--accent); stroke-width: 1.5; opacity: 0.6; }
svg .point { fill: var(--accent); stroke: var(--page); stroke-width: 1.5; }
svg .beaten { fill: var(--page); stroke: var(--accent); }
svg line.reference { stroke: var(--muted); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg .none { fill: none; stroke: var(--line); }
svg .marked { stroke: var(--mark); stroke-width: 2.5; }
svg.scatter { width: 100%; }
"""


def _steps(colours: Sequence[str]) -> str:
    return "\n".join(
        f"svg .s{index} {{ fill: {colour}; }} svg .t{index} {{ fill: {_ink(colour)}; }}"
        for index, colour in enumerate(colours)
    )


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _mixed(share: float) -> str:
    """The colour at a share of the way through all."""
    at = share * (len(_COLOURS) - 1)
    index = min(int(at), len(_COLOURS) - 2)
    ends = zip(_channels(_COLOURS[index]), _channels(_COLOURS[index + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (at - index)):02x}" for a, b in ends)


def _ink(colour: str) -> str:
    """Black or white, whichever is read better on `colour`."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in _channels(colour))
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000" if luminance > 0.179 else "#fff"
