# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A page that compares what formats made of one model: bits, errors, quality and
kernels, from its directories. One HTML file that needs no other."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import description as descriptions
from . import report_inputs, svg
from .description import LINEARS
from .elements import Markup, element, joined
from .report_inputs import Evaluation, Inputs, Kernel, Result, is_finite
from .svg import number

_NOTHING = "–"


def write(directories: Iterable[str | os.PathLike], out: str | os.PathLike) -> Inputs:
    """Writes the report on `directories` to the file `out` and returns what it
    was made of."""
    inputs = report_inputs.read(directories)
    out = Path(out)
    temporary = out.with_name(f"{out.name}.tmp{os.getpid()}")
    try:
        temporary.write_text(page(inputs), encoding="utf-8")
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return inputs


def page(inputs: Inputs) -> str:
    """The report as HTML, which is well-formed XML too."""
    measured = _measured(inputs.results)
    name = model_name(inputs)
    body = element(
        "body",
        element(
            "main",
            element("h1", name),
            element("p", "Formats of its weights, compared", class_="subtitle"),
            _facts(inputs.description),
            _formats(inputs, measured),
            _quality(inputs.results, measured),
            _errors(inputs),
            _bits(inputs),
            _kernels(inputs),
            _missing(inputs, measured),
        ),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{name}: formats compared"),
        element("style", Markup(_STYLE + svg.style())),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def model_name(inputs: Inputs) -> str:
    """The source that quantized directories name, else the architecture."""
    sources = {result.source for result in inputs.results if result.source}
    return sources.pop() if len(sources) == 1 else inputs.description["architecture"]


# Numbers and names as the page shows them.


def _shown(value: float | None, digits: int | None = None) -> str:
    """A number, with `digits` behind the point or as many as its size wants."""
    if value is None:
        return _NOTHING
    if digits is None or not abs(value) < 1000:
        return number(value)
    return f"{value:.{digits}f}"


def _size(count: int | None) -> Markup | str:
    if count is None:
        return _NOTHING
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return element("span", f"{count / scale:.1f} {unit}", title=f"{count:,} bytes")
    return f"{count} bytes"


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _place(places: Mapping[str, list[tuple[int, str]]], name: str) -> str:
    """A tensor by its place in the model."""
    if name not in places:
        return name
    layer, kind = places[name][0]
    return f"layer {layer}, {kind}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _ranges(numbers: Iterable[int]) -> str:
    """0-3, 7 for 0, 1, 2, 3, 7."""
    runs: list[list[int]] = []
    for value in sorted(set(numbers)):
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)


# Parts of HTML.


def _section(title: str, *children: object) -> Markup:
    return element("section", element("h2", title), *children)


def _table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, words: Sequence[str], name: str
) -> Markup:
    """A table whose columns `words` are words, all others numbers."""
    kinds = [None if title in words else "number" for title in head]

    def row(tag: str, cells: Sequence[object]) -> Markup:
        return element(
            "tr", *(element(tag, c, class_=k) for c, k in zip(cells, kinds, strict=True))
        )

    body = element("tbody", *(row("td", cells) for cells in rows))
    table = element("table", element("thead", row("th", head)), body)
    return element("div", table, class_="box", role="region", tabindex=0, aria_label=name)


def _figure(drawing: Markup, *caption: object) -> Markup:
    return element("figure", drawing, element("figcaption", *caption))


# The sections.


def _facts(description: Mapping) -> Markup:
    attention = description["attention"]
    weights = sum(math.prod(shape) for shape in descriptions.tensors(description).values())
    heads = f"{attention['heads']} of {attention['head_size']}"
    if attention["kv_heads"] != attention["heads"]:
        heads += f", {attention['kv_heads']} for keys and values"
    facts = {
        "Architecture": description["architecture"],
        "Layers": len(description["layers"]),
        "Hidden": f"{description['hidden']:,}, {description['mlp']['size']:,} in the MLP",
        "Heads": heads,
        "Vocabulary": f"{description['vocabulary']:,} tokens",
        "Context": f"{description['context']:,} tokens",
        "Weights": f"{weights:,}",
    }
    pairs = (
        element("div", element("dt", key), element("dd", value)) for key, value in facts.items()
    )
    return element("dl", *pairs)


@dataclass(frozen=True)
class _Measured:
    """Evaluations that can be compared: all of one text, cut in one way."""

    rows: Mapping[str, Evaluation]
    #: What KL and top-1 compare with.
    against: str | None

    def kl(self, label: str) -> float | None:
        row = self.rows.get(label)
        return row.kl if row and row.against == self.against else None

    def top1(self, label: str) -> float | None:
        row = self.rows.get(label)
        return row.top1 if row and row.against == self.against else None

    def sentence(self) -> str:
        row = next(iter(self.rows.values()))
        stride = "" if row.stride in (None, row.window) else f", {row.stride} apart"
        text = (
            f"Measured on {row.text or 'a text'}: {row.tokens:,} tokens in windows of "
            f"{row.window:,}{stride}."
        )
        if self.against:
            text += f" KL divergence and top-1 agreement are against {self.against}."
        return text


def _measured(results: Sequence[Result]) -> _Measured:
    """The evaluations of the setting that most directories share, the one of the
    most tokens among several."""
    settings = Counter(s for r in results for s in {row.setting for row in r.evaluations})
    if not settings:
        return _Measured({}, None)
    best = max(settings, key=lambda setting: (settings[setting], setting[1]))
    rows = {r.label: [row for row in r.evaluations if row.setting == best] for r in results}
    references = Counter(row.against for found in rows.values() for row in found if row.against)
    against = references.most_common(1)[0][0] if references else None
    chosen = {
        label: max(found, key=lambda row: row.against == against)
        for label, found in rows.items()
        if found
    }
    return _Measured(chosen, against)


def _formats(inputs: Inputs, measured: _Measured) -> Markup:
    head = ["format", "bits, packed", "bits, all", "size", "error, mean", "error, worst", "in"]
    head += ["perplexity", "KL, nats", "top-1", "tokens", "window"]
    places = inputs.places()
    rows = [_format(result, places, measured) for result in inputs.results]
    return _section(
        "Formats",
        element("p", measured.sentence()) if measured.rows else None,
        _table(head, rows, words=("format", "in"), name="Formats"),
        element(
            "p",
            "Bits are per weight: over the weights that were packed, and over all as they are "
            "stored. Errors are squared and relative to the weights, mean and worst over the "
            "products of the layers.",
            class_="note",
        ),
        _others(inputs.results, measured),
    )


def _format(result: Result, places: Mapping, measured: _Measured) -> list[object]:
    errors = {name: error for name, error in result.errors().items() if name in places}
    worst = max(errors, key=errors.__getitem__) if errors else None
    row = measured.rows.get(result.label)
    top1 = measured.top1(result.label)
    return [
        element("b", result.label),
        _shown(result.packed_bits, 4),
        _shown(result.bits, 4),
        _size(result.bytes),
        _shown(sum(errors.values()) / len(errors) if errors else None),
        _shown(errors[worst] if worst else None),
        element("span", _place(places, worst), title=worst) if worst else _NOTHING,
        _shown(row.ppl if row else None, 3),
        _shown(measured.kl(result.label)),
        _NOTHING if top1 is None else f"{100 * top1:.2f} %",
        f"{row.tokens:,}" if row else _NOTHING,
        f"{row.window:,}" if row else _NOTHING,
    ]


def _others(results: Sequence[Result], measured: _Measured) -> Markup | None:
    """What else was evaluated."""
    rows = [
        [
            element("b", result.label),
            row.text or _NOTHING,
            row.against or _NOTHING,
            _shown(row.ppl, 3),
            _shown(row.kl),
            _NOTHING if row.top1 is None else f"{100 * row.top1:.2f} %",
            f"{row.tokens:,}",
            f"{row.window:,}",
            _NOTHING if row.stride is None else f"{row.stride:,}",
        ]
        for result in results
        for row in result.evaluations
        if row is not measured.rows.get(result.label)
    ]
    if not rows:
        return None
    words = ["format", "text", "against"]
    head = [*words, "perplexity", "KL, nats", "top-1", "tokens", "window", "stride"]
    return joined(
        element("h3", "Other measurements"),
        element("p", "Other texts, windows or references: not to be compared with those above."),
        _table(head, rows, words=words, name="Other measurements"),
    )


def _quality(results: Sequence[Result], measured: _Measured) -> Markup:
    perplexity = {label: row.ppl for label, row in measured.rows.items()}
    divergence = {label: measured.kl(label) for label in measured.rows}
    reference = next(
        (r for r in results if not r.packed and is_finite(perplexity.get(r.label))), None
    )
    line = svg.Line(perplexity[reference.label], reference.label) if reference else None
    figures = [
        _trade(results, perplexity, "Perplexity", "perplexity", line),
        _trade(results, divergence, "KL divergence", "KL divergence, nats per token", None),
    ]
    if not any(figures):
        return _section("Quality and bits", element("p", "No packed weights were evaluated."))
    return _section("Quality and bits", element("div", *figures, class_="pair"))


def _trade(
    results: Sequence[Result],
    values: Mapping[str, float | None],
    name: str,
    y_label: str,
    line: svg.Line | None,
) -> Markup | None:
    """A measure of quality against bits."""
    points = [
        svg.Point(
            r.bits,
            values[r.label],
            r.label,
            f"{r.label}: {r.bits:.4f} bits per weight, {name} {number(values[r.label])}",
        )
        for r in results
        if r.packed and is_finite(r.bits) and is_finite(values.get(r.label))
    ]
    if not points:
        return None
    drawing = svg.scatter(
        points,
        title=f"{name} against bits per weight",
        x_label="bits per weight, over all weights",
        y_label=y_label,
        line=line,
    )
    best = svg.frontier(points)
    caption = f"{name} against size: lower is better, further left is smaller. "
    if len(best) == len(points):
        caption += "No format here beats another in both."
    else:
        names = _listed([point.label for point in best])
        caption += f"None beats {names}, which are filled, in both."
    if line:
        caption += f" The dashed line is {line.label}, not quantized, at {number(line.y)}."
    return _figure(drawing, caption)


def _errors(inputs: Inputs) -> Markup:
    places = inputs.places()
    found = {r.label: r.errors() for r in inputs.results}
    values = [e for errors in found.values() for name, e in errors.items() if name in places]
    positive = [value for value in values if value > 0]
    title = "Error of every layer"
    if not values:
        return _section(title, element("p", "No errors were measured."))
    scale = svg.Scale.around(positive or [1.0], log_from=1)
    figures = [
        _error_map(r, found[r.label], inputs, places, scale)
        for r in inputs.results
        if any(name in places for name in found[r.label])
    ]
    return _section(
        title,
        element(
            "p",
            "Relative squared error of the products of each layer, in one logarithmic scale for "
            "all formats: the more a cell stands out from the page, the more its weights lost. "
            "The worst cell is framed; an empty one was kept or not measured.",
        ),
        svg.legend(scale, title="Colours of errors", label="relative squared error (logarithmic)"),
        element("div", *figures, class_="maps"),
    )


def _error_map(
    result: Result, errors: Mapping[str, float], inputs: Inputs, places: Mapping, scale: svg.Scale
) -> Markup:
    inside = {name: error for name, error in errors.items() if name in places}
    worst = max(inside, key=inside.__getitem__)
    cells = {}
    for name, spots in places.items():
        error = errors.get(name)
        step = None if error is None else scale.step(error)
        text = "not measured" if error is None else f"error {number(error)}"
        for layer, kind in spots:
            tooltip = f"{result.label}, layer {layer}, {kind}: {text}{_stored(result, name)}"
            cells[layer, kind] = svg.Cell(step, tooltip, marked=name == worst)
    layers = len(inputs.description["layers"])
    title = f"Error of every layer in {result.label}"
    means = {
        kind: sum(of_kind) / len(of_kind)
        for kind in LINEARS
        if (of_kind := [e for name, e in inside.items() if places[name][0][1] == kind])
    }
    high = max(means, key=means.__getitem__)
    return _figure(
        svg.heat_map(cells, layers, LINEARS, title=title),
        element("b", result.label),
        f": mean {number(sum(inside.values()) / len(inside))}, highest for {high} "
        f"({number(means[high])}); worst {number(inside[worst])} in {_place(places, worst)}.",
        _numbers(result, inputs, lambda tensor: _shown(tensor.error), title),
    )


def _stored(result: Result, name: str) -> str:
    tensor = result.tensors.get(name)
    if tensor is None:
        return ""
    return f", {tensor.format or 'kept'}, {number(tensor.bits)} bits per weight"


def _numbers(result: Result, inputs: Inputs, text, title: str) -> Markup:
    """A heat map as a table, for those who cannot point at cells."""
    rows = []
    for index, layer in enumerate(inputs.description["layers"]):
        tensors = [result.tensors.get(layer[kind]["weight"]) for kind in LINEARS]
        rows.append([index, *(_NOTHING if t is None else text(t) for t in tensors)])
    table = _table(["layer", *LINEARS], rows, words=(), name=title)
    return element("details", element("summary", "Numbers"), table)


def _bits(inputs: Inputs) -> Markup:
    places = inputs.places()
    known = [r for r in inputs.results if any(name in places for name in r.tensors)]
    if not known:
        return _section("Bits of every layer", element("p", "No formats of layers are known."))
    uniform, mixed = [], []
    for result in known:
        formats = {t.format for name, t in result.tensors.items() if name in places}
        (uniform if len(formats) == 1 else mixed).append(result)
    parts = [element("p", _uniform(uniform, places))] if uniform else []
    if mixed:
        bits = [t.bits for r in mixed for name, t in r.tensors.items() if name in places]
        scale = svg.Scale.around(bits, log_from=1)
        parts += [
            element(
                "p",
                "Where formats are mixed, cells hold bits per weight; those in strong colours "
                "were given more.",
            ),
            element("div", *(_bits_map(r, inputs, places, scale) for r in mixed), class_="maps"),
        ]
    outside = [sentence for r in known if (sentence := _outside(r, places))]
    return _section("Bits of every layer", *parts, *(element("p", text) for text in outside))


def _uniform(results: Sequence[Result], places: Mapping) -> str:
    names = []
    for result in results:
        tensors = [tensor for name, tensor in result.tensors.items() if name in places]
        low, high = (f"{end(tensor.bits for tensor in tensors):.4f}" for end in (min, max))
        bits = low if low == high else f"{low} to {high} by shape"
        names.append(f"{result.label} ({bits} bits per weight)")
    return f"In {_listed(names)} every product of the layers has the same format."


def _bits_map(result: Result, inputs: Inputs, places: Mapping, scale: svg.Scale) -> Markup:
    cells = {}
    for name, spots in places.items():
        tensor = result.tensors.get(name)
        for layer, kind in spots:
            place = f"{result.label}, layer {layer}, {kind}"
            cells[layer, kind] = (
                svg.Cell(None, f"{place}: not listed")
                if tensor is None
                else svg.Cell(
                    scale.step(tensor.bits), f"{place}{_stored(result, name)}", f"{tensor.bits:.3g}"
                )
            )
    title = f"Bits of every layer in {result.label}"
    counts = Counter(
        tensor.format or "kept" for name, tensor in result.tensors.items() if name in places
    )
    share = _listed([f"{count} in {name}" for name, count in counts.most_common()])
    return _figure(
        svg.heat_map(cells, len(inputs.description["layers"]), LINEARS, title=title),
        element("b", result.label),
        f": {share.replace('in kept', 'kept')} of {counts.total()} products.",
    )


def _outside(result: Result, places: Mapping) -> Markup | None:
    """What else was packed: an embedding, a head."""
    packed = [
        f"{name} in {tensor.format} ({number(tensor.bits)} bits per weight"
        + (f", error {number(tensor.error)})" if tensor.error is not None else ")")
        for name, tensor in result.tensors.items()
        if tensor.format and name not in places
    ]
    if not packed:
        return None
    return joined(element("b", result.label), f", outside the layers: {_listed(packed)}.")


def _kernels(inputs: Inputs) -> Markup:
    places = inputs.places()
    rows = [
        [
            element("b", result.label),
            kernel.function,
            ", ".join(kinds),
            element("code", kernel.kernel),
            kernel.format,
            kernel.activation,
            ", ".join(kernel.epilogue) or _NOTHING,
            _tokens(*kernel.m),
            _shape(kernel.shape),
            _ranges(layers) or _NOTHING,
        ]
        for result in inputs.results
        for (kernel, layers), kinds in _kernel_groups(result, places)
    ]
    if not rows:
        return _section("Kernels", element("p", "No packed weights have kernels."))
    words = ["directory", "function", "weights", "kernel", "format", "activation", "fused"]
    return _section(
        "Kernels",
        element(
            "p",
            "The kernels that the compiler chooses on the host for every product of a packed "
            "weight, what they multiply by, the functions of the sums that they take in, and for "
            "how many tokens at a time they are. Products that agree share a row.",
        ),
        _table([*words, "tokens", "shape", "layers"], rows, words=words, name="Kernels"),
    )


def _tokens(first: int, last: int | None) -> str:
    return f"{first} and more" if last is None else _ranges(range(first, last + 1))


def _kernel_groups(
    result: Result, places: Mapping
) -> Iterable[tuple[tuple[Kernel, tuple[int, ...]], list[str]]]:
    """Kinds of weights by what they have in common: everything of the kernel but
    the weight, and the layers."""
    layers: dict[tuple[Kernel, str], list[int]] = {}
    for kernel in result.kernels:
        spots = places.get(kernel.weight, [(None, kernel.weight)])
        found = layers.setdefault((replace(kernel, weight=""), spots[0][1]), [])
        found.extend(layer for layer, _ in spots if layer is not None)
    kinds: dict[tuple[Kernel, tuple[int, ...]], list[str]] = {}
    for (kernel, kind), found in layers.items():
        kinds.setdefault((kernel, tuple(sorted(set(found)))), []).append(kind)
    # Of weights that one kernel takes together, the compiler chooses the order.
    order = {kind: place for place, kind in enumerate(LINEARS)}
    for together in kinds.values():
        together.sort(key=lambda kind: order.get(kind, len(order)))
    return kinds.items()


def _missing(inputs: Inputs, measured: _Measured) -> Markup:
    places = inputs.places()
    items: list[Markup | str] = list(inputs.skipped)
    for result in inputs.results:
        sentences = list(result.missing)
        if result.evaluations and result.label not in measured.rows:
            sentences.append("not evaluated as the others were")
        elif result.packed and result.label in measured.rows and measured.kl(result.label) is None:
            sentences.append("no KL divergence and top-1 agreement to compare")
        absent = [name for name in places if name not in result.tensors]
        if result.packed and absent:
            sentences.append(f"{len(absent)} products of layers without bits and error")
        tensors = result.tensors.values()
        unknown = sum(t.format is not None and not is_finite(t.error) for t in tensors)
        if unknown and unknown < len(places):
            sentences.append(f"{unknown} packed tensors without an error")
        items += [joined(element("b", result.label), f": {text}") for text in sentences]
    if not items:
        return _section("Missing inputs", element("p", "None: every file was there."))
    return _section(
        "Missing inputs",
        element("p", "This page would say more with:"),
        element("ul", *(element("li", item) for item in items)),
    )


_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --muted: #59636e;
  --line: #dde1e6; --panel: #f5f7f9; --accent: #0a62a9; --mark: #f0640f; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171c; --text: #e6e9ed; --muted: #9aa4b0; --line: #30363e;
    --panel: #1c2027; --accent: #6cb6ff; --mark: #f0640f; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
main { max-width: 1240px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0; }
h2 { font-size: 19px; margin: 40px 0 8px; padding-top: 12px; border-top: 1px solid var(--line); }
h3 { font-size: 15px; margin: 24px 0 4px; }
p { max-width: 76ch; margin: 8px 0; }
.subtitle, .note, figcaption { color: var(--muted); font-size: 14px; }
figcaption b { color: var(--text); }
dl { display: flex; flex-wrap: wrap; gap: 10px 32px; margin: 20px 0 0; }
dt { color: var(--muted); font-size: 12px; }
dd { margin: 0; font-weight: 600; }
.box { overflow-x: auto; margin: 12px 0; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 6px 12px; text-align: left; white-space: nowrap; }
th { background: var(--panel); color: var(--muted); font-size: 12px; font-weight: 600; }
tbody tr + tr td { border-top: 1px solid var(--line); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
code { font: 13px ui-monospace, monospace; }
figure { margin: 16px 0 0; min-width: 0; }
figcaption { margin-top: 6px; line-height: 1.4; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr));
  gap: 12px 40px; }
.pair figure { max-width: 600px; }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 280px), 1fr));
  gap: 16px 24px; }
.maps figcaption { max-width: 300px; }
.legend { margin-top: 12px; }
summary { cursor: pointer; color: var(--accent); margin-top: 4px; }
details table { font-size: 12px; }
details th, details td { padding: 2px 6px; }
li { margin: 4px 0; }
@media (max-width: 500px) {
  main { padding: 16px 14px 32px; }
  dl { gap: 8px 24px; }
}
"""
