# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import copy
import json
import math
import re
import shutil
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from conftest import FIXTURES

from rotq import RotqError, decoder, formats, model_dir, report, report_inputs, svg
from rotq.cli import main
from rotq.description import LINEARS, tensors
from rotq.elements import Markup, element, escaped
from rotq.plan import Plan
from rotq.quantize import quantize_model

LAYERS = 30
TEXT = {"text": "wiki.txt", "tokens": 4096, "window": 512, "stride": 512}


@pytest.fixture(scope="module")
def description():
    """A decoder of 30 layers."""
    result = decoder.describe(FIXTURES / "llama3")
    layer = json.dumps(result["layers"][0])
    result["layers"] = [
        json.loads(layer.replace("layers.0.", f"layers.{index}.")) for index in range(LAYERS)
    ]
    return result


def weight(description, layer, kind):
    return description["layers"][layer][kind]["weight"]


def linears(description):
    return {
        weight(description, layer, kind): (layer, kind)
        for layer in range(LAYERS)
        for kind in LINEARS
    }


def error_of(layer, kind, scale=1.0):
    return scale * (0.01 + 0.001 * layer + 0.0001 * LINEARS.index(kind))


def quantized(description, format="rq3", bits=3.0625, scale=1.0, plan=None):
    """A quantize.json; `plan` gives the format and bits of a (layer, kind)."""
    places = linears(description)
    entries = []
    for name, shape in tensors(description).items():
        packed = (plan or (lambda *_: (format, bits)))(*places[name]) if name in places else None
        entries.append(
            {
                "name": name,
                "shape": list(shape),
                "format": packed and packed[0],
                "bits": packed[1] if packed else 16,
                "error": error_of(*places[name], scale) if packed else None,
            }
        )
    return {
        "format": format, "source": "Tiny-1B", "seconds": 1.5, "bytes": 12_345_678,
        "packed_bits": bits, "bits": bits + 1, "tensors": entries,
    }  # fmt: skip


def evaluation(format, ppl, kl=None, against=None, **others):
    top1 = None if kl is None else 0.8125
    row = {"model": "llama", "format": format, "bits": 16.0, "ppl": ppl, "kl": kl, "top1": top1}
    return row | TEXT | {"seconds": 1.0, "against": against} | others


@pytest.fixture
def model(tmp_path, description):
    """A function that makes a model directory of JSON files."""

    def make(name, quantize=None, evaluations=None, decoder=description):
        folder = tmp_path / name
        folder.mkdir()
        files = {
            "decoder.json": decoder,
            "quantize.json": quantize,
            "evaluations.json": evaluations,
        }
        for file, value in files.items():
            if value is not None:
                (folder / file).write_text(json.dumps(value))
        return folder

    return make


@pytest.fixture
def compared(model, description):
    """Three formats, one of which mixes two, and the model they were made of."""

    def plan(layer, kind):
        return ("rq4", 4.0625) if kind == "v" else ("rq3", 3.0625)

    rq2 = quantized(description, "rq2", 2.0625, 4)
    mixed = quantized(description, "rq3+rq4", 3.25, 0.9, plan)
    return [
        model("full", evaluations=[evaluation("bf16", 14.25)]),
        model("two", rq2, [evaluation("rq2", 61.5, 1.375, "bf16")]),
        model("three", quantized(description), [evaluation("rq3", 20.5, 0.375, "bf16")]),
        model("mix", mixed, [evaluation("rq3+rq4", 17.125, 0.125, "bf16")]),
    ]


class _Strict(HTMLParser):
    """Every element of a page is closed where it should be."""

    VOID = ("meta", "br")

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, _):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, _):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(path):
    """The page as a tree; fails where it is no HTML or loads anything."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>\n")
    parser = _Strict()
    parser.feed(text)
    parser.close()
    assert not parser.open
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import|https?:", text)
    return ElementTree.fromstring(text)


def content(tree):
    return " ".join("".join(tree.itertext()).split())


def section(tree, title):
    return next(s for s in tree.iter("section") if s.find("h2").text == title)


def rows(tree):
    return [["".join(c.itertext()) for c in row] for row in tree.find(".//tbody").iter("tr")]


def written(tmp_path, directories):
    report.write(directories, tmp_path / "report.html")
    return parsed(tmp_path / "report.html")


def test_facts_and_formats(tmp_path, compared, description):
    tree = written(tmp_path, compared)
    assert tree.find(".//h1").text == "Tiny-1B"
    facts = {d.find("dt").text: d.find("dd").text for d in tree.iter("dl") for d in d}
    weights = sum(math.prod(shape) for shape in tensors(description).values())
    assert facts["Layers"] == "30" and facts["Weights"] == f"{weights:,}"
    assert facts["Vocabulary"] == f"{description['vocabulary']:,} tokens"
    formats = rows(section(tree, "Formats"))
    # The reference first, then those of the most bits.
    assert [row[0] for row in formats] == ["bf16", "rq3+rq4", "rq3", "rq2"]
    mean = sum(error_of(layer, kind) for layer in range(LAYERS) for kind in LINEARS) / 210
    worst = error_of(29, "down")
    assert formats[2] == [
        "rq3", "3.0625", "4.0625", "12.3 MB", svg.number(mean), svg.number(worst),
        "layer 29, down", "20.500", "0.3750", "81.25 %", "4,096", "512",
    ]  # fmt: skip
    assert formats[0][-5:] == ["14.250", "–", "–", "4,096", "512"]
    assert "4,096 tokens in windows of 512. KL divergence" in content(tree)


def test_figures(tmp_path, compared):
    quality = section(written(tmp_path, compared), "Quality and bits")
    figures = quality.findall(".//svg")
    assert len(figures) == 2
    for figure in figures:
        labels = [t.text for t in figure.iter("text") if t.get("class") == "label"]
        assert labels == ["rq3+rq4", "rq3", "rq2"]
        names = [t.text for t in figure.iter("text") if t.get("class") == "name"]
        assert names[0] == "bits per weight, over all weights"
        width, height = map(float, figure.get("viewBox").split()[2:])
        for text in figure.iter("text"):
            assert 0 <= float(text.get("x")) <= width and 0 <= float(text.get("y")) <= height
    assert "line" in {e.tag for e in figures[0].iter() if e.get("class") == "reference"}
    assert "nats per token" in content(figures[1])
    assert "not quantized, at 14.25" in content(quality)


def test_every_layer_has_its_error(tmp_path, compared):
    errors = section(written(tmp_path, compared), "Error of every layer")
    tooltips = {t.text for t in errors.iter("title")}
    table = content(errors)
    for layer in range(LAYERS):
        for kind in LINEARS:
            for label, scale, format, bits in (
                ("rq3", 1, "rq3", 3.0625),
                ("rq2", 4, "rq2", 2.0625),
            ):
                error = svg.number(error_of(layer, kind, scale))
                place = f"{label}, layer {layer}, {kind}: error {error}"
                assert f"{place}, {format}, {svg.number(bits)} bits per weight" in tooltips
                assert error in table
    maps = [s for s in errors.iter("svg") if s.get("class") == "heat"]
    assert len(maps) == 3 and all(len(list(m.iter("rect"))) == 210 for m in maps)
    # One scale: what is worse has a later colour in whichever map it is.
    steps = [[int(re.match(r"s(\d+)", r.get("class"))[1]) for r in m.iter("rect")] for m in maps]
    assert min(steps[1]) < min(steps[2]) and max(steps[2]) == svg.STEPS - 1
    assert all(sum("marked" in r.get("class") for r in m.iter("rect")) == 1 for m in maps)
    assert "relative squared error (logarithmic)" in content(errors)


def test_bits(tmp_path, compared):
    bits = section(written(tmp_path, compared), "Bits of every layer")
    assert (
        "In rq3 (3.0625 bits per weight) and rq2 (2.0625 bits per weight) every product of the "
        "layers has the same format." in content(bits)
    )
    (figure,) = bits.iter("figure")
    cells = [t.text for t in figure.iter("text")]
    assert cells.count("4.06") == 30 and cells.count("3.06") == 180
    assert "180 in rq3 and 30 in rq4 of 210 products" in content(figure)


def test_an_embedding_is_packed(tmp_path, model, description):
    value = quantized(description)
    head = description["head"]["weight"]
    entry = next(t for t in value["tensors"] if t["name"] == head)
    entry |= {"format": "rq4", "bits": 4.0625, "error": 0.5}
    tree = written(tmp_path, [model("a", value)])
    assert f"outside the layers: {head} in rq4 (4.062 bits per weight, error 0.5000)" in content(
        section(tree, "Bits of every layer")
    )
    # It is none of the layers' errors.
    assert rows(section(tree, "Formats"))[0][6] == "layer 29, down"


def kernels(tmp_path, models, **options):
    """The rows of a model that was packed, beside the model it was made of, by
    function, tokens and weights."""
    packed = tmp_path / "packed"
    model = model_dir.open_model(models("llama3"))
    quantize_model(model, packed, formats.lookup("rq3"), progress=False, **options)
    tree = written(tmp_path, [model.path, packed])
    assert "kernels" not in content(section(tree, "Missing inputs"))
    found = rows(section(tree, "Kernels"))
    assert len({row[0] for row in found}) == 1
    return {(row[1], row[7], row[2], row[4]): [row[3], *row[5:7], *row[8:]] for row in found}


def test_kernels(tmp_path, models):
    found = kernels(tmp_path, models)
    few, many = "host_vector_r1c1w1", "host_vector_r1c4w1"
    for function, tokens, kernel in (
        ("decode", "1–3", few), ("prefill", "1–3", few), ("prefill", "4 and more", many),
    ):  # fmt: skip
        for weights, fused, shape in (
            ("q", "–", "64 × 64"), ("k, v", "–", "32 × 64"), ("o", "addf", "64 × 64"),
            ("down", "addf", "64 × 96"),
        ):  # fmt: skip
            row = found.pop((function, tokens, weights, "rq3"))
            assert row == [kernel, "i8", fused, shape, "0–2"]
        # One loop takes in SiLU and the product of both.
        row = found.pop((function, tokens, "gate, up", "rq3"))
        assert row[:2] == [kernel, "i8"] and "exp" in row[2] and row[3:] == ["96 × 64", "0–2"]
    assert not found


def test_kernels_of_several_formats(tmp_path, models):
    found = kernels(
        tmp_path, models, plan=Plan({r".*\.1\..*k_proj.*": "rq4", ".*v_proj.*": "keep"})
    )
    assert {key[2:]: row[-1] for key, row in found.items() if key[0] == "decode"} == {
        ("k", "rq3"): "0, 2", ("k", "rq4"): "1",
        **{(kind, "rq3"): "0–2" for kind in ("q", "o", "gate, up", "down")},
    }  # fmt: skip


def test_missing_parts_are_named(tmp_path, compared, model):
    absent = tmp_path / "absent"
    tree = written(tmp_path, [*compared, model("bare"), absent])
    missing = content(section(tree, "Missing inputs"))
    assert f"{absent}: no decoder.json" in missing
    assert f"rq2: kernels are not known: {tmp_path / 'two' / 'model.mlir'}: no such" in missing
    assert "bf16: kernels" not in missing
    assert "bare: no quantize.json and no weights.safetensors" in missing
    assert "bare: no evaluations.json" in missing


def test_nothing_but_a_decoder(tmp_path, model):
    tree = written(tmp_path, [model("bare")])
    assert not list(tree.iter("svg"))
    for words in ("No errors were measured", "No packed weights were evaluated", "have kernels"):
        assert words in content(tree)


def test_an_archive_says_its_bits(model, archive_path):
    folder = model("packed")
    shutil.copy(archive_path, folder / "weights.safetensors")
    (result,) = report_inputs.read([folder]).results
    assert result.packed and result.bits is not None
    assert result.bytes == (folder / "weights.safetensors").stat().st_size
    assert "errors are not known" in result.missing[0]


def test_only_like_measurements_are_compared(tmp_path, model, description):
    short = {"tokens": 128, "window": 64}
    a = [evaluation("rq2", 70.5, **short), evaluation("rq2", 60.5, 1.0, "bf16")]
    b = [evaluation("rq3", 20.5), evaluation("rq3", 20.5, 0.5, "bf16")]
    c = [evaluation("rq4", 90.5, **short)]
    directories = [
        model("a", quantized(description, "rq2", 2), a),
        model("b", quantized(description, "rq3", 3), b),
        model("c", quantized(description, "rq4", 4), c),
    ]
    tree = written(tmp_path, directories)
    formats = section(tree, "Formats")
    ppl = {row[0]: row[7] for row in rows(formats)}
    assert ppl == {"rq4": "–", "rq3": "20.500", "rq2": "60.500"}
    others = formats.findall(".//table")[1]
    assert [(row[0], row[3]) for row in rows(others)] == [
        ("rq4", "90.500"), ("rq3", "20.500"), ("rq2", "70.500"),
    ]  # fmt: skip
    assert "rq4: not evaluated as the others were" in content(tree)


def test_what_diverged_is_shown(tmp_path, model, description):
    value = quantized(description)
    value["tensors"][1]["error"] = math.nan
    rows_ = [evaluation("rq3", math.inf, math.nan, "bf16")]
    tree = written(tmp_path, [model("a", value, rows_)])
    row = rows(section(tree, "Formats"))[0]
    assert row[7:9] == ["infinite", "not a number"]
    assert not list(section(tree, "Quality and bits").iter("svg"))


def test_errors_of_zero(tmp_path, model, description):
    tree = written(tmp_path, [model("a", quantized(description, scale=0))])
    assert rows(section(tree, "Formats"))[0][4] == "0"


def test_equal_labels_get_directories(tmp_path, model, description):
    directories = [model("a", quantized(description)), model("b", quantized(description))]
    labels = [result.label for result in report_inputs.read(directories).results]
    assert labels == ["rq3 (a)", "rq3 (b)"]
    # A directory that is given twice is one.
    assert len(report_inputs.read([directories[0]] * 2).results) == 1


EVIL = "<script>alert('&\"')</script>]]>\x00\ud800"


def test_text_is_escaped(tmp_path, model, description):
    changed = copy.deepcopy(description)
    name = weight(changed, 3, "q") + EVIL
    changed["layers"][3]["q"]["weight"] = name
    changed["architecture"] = EVIL
    value = quantized(changed, EVIL) | {"source": EVIL}
    row = evaluation(EVIL, 9.0, 0.5, EVIL, text=EVIL)
    tree = written(tmp_path, [model("a", value, [row, row | {"tokens": 9}], changed)])
    assert not list(tree.iter("script"))
    shown = EVIL.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    assert tree.find(".//h1").text == shown
    assert content(tree).count("<script>") > 10


def test_elements():
    assert escaped('<&">') == "&lt;&amp;&quot;&gt;"
    made = element(
        "p", "a<b", None, Markup("<b>c</b>"), class_="x", aria_label='"', x=1 / 3, y=None
    )
    assert made == '<p class="x" aria-label="&quot;" x="0.33">a&lt;b<b>c</b></p>'
    assert element("rect", width=2) == '<rect width="2"/>'


@pytest.mark.parametrize(
    "low, high, logarithmic",
    [(0, 1, False), (2.1, 4.3, False), (0.009, 0.2, True), (14, 15, True), (1, 1e9, True),
     (1e-9, 2e-9, False), (-3, 3, False), (1e-12, 1e-3, True), (5, 5.001, True)],
)  # fmt: skip
def test_ticks(low, high, logarithmic):
    scale = svg.Scale(low, high, logarithmic)
    ticks = scale.ticks(7)
    assert 2 <= len(ticks) <= 8 and ticks == sorted(ticks)
    assert all(-1e-6 <= scale.share(tick) <= 1 + 1e-6 for tick in ticks)
    assert len(set(svg._texts(ticks, scale))) == len(ticks)


@pytest.mark.parametrize(
    "value, text",
    [(0, "0"), (3.0625, "3.062"), (0.0123456, "0.01235"), (14.5, "14.50"), (1234.5, "1,234"),
     (1e-7, "1.00·10⁻⁷"), (math.inf, "infinite"), (math.nan, "not a number")],
)  # fmt: skip
def test_numbers(value, text):
    assert svg.number(value) == text


def test_the_command(tmp_path, compared, capsys):
    out = tmp_path / "page.html"
    assert main(["report", *map(str, compared), str(tmp_path / "absent"), "-o", str(out)]) == 0
    printed = capsys.readouterr()
    assert "Tiny-1B in bf16, rq3+rq4, rq3, rq2" in printed.out
    assert "absent: no decoder.json" in printed.err
    parsed(out)
    assert not list(tmp_path.glob("*.tmp*"))


def test_a_page_that_cannot_be_written(tmp_path, compared, capsys):
    assert main(["report", str(compared[0]), "-o", str(tmp_path / "no" / "page.html")]) == 1
    assert "page.html" in capsys.readouterr().err
    (tmp_path / "folder").mkdir()
    assert main(["report", str(compared[0]), "-o", str(tmp_path / "folder")]) == 1
    assert not list(tmp_path.glob("*.tmp*"))


def test_no_readable_directory(tmp_path):
    with pytest.raises(RotqError, match="absent: no decoder.json.*empty: no decoder.json"):
        report.write([tmp_path / "absent", tmp_path / "empty"], tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_different_models(tmp_path, model, description):
    other = copy.deepcopy(description) | {"context": 77}
    directories = [model("a"), model("b", decoder=other)]
    with pytest.raises(RotqError, match=r"b/decoder.json: .*a/decoder.json but 'context' differs"):
        report.write(directories, tmp_path / "report.html")


@pytest.mark.parametrize("file", ["decoder.json", "quantize.json", "evaluations.json"])
@pytest.mark.parametrize("text", [b"{", b"\xff", b"3", b'{"a": 1}', b"[" * 100_000])
def test_malformed_files(tmp_path, model, file, text):
    folder = model("a")
    (folder / file).write_bytes(text)
    with pytest.raises(RotqError, match=f"a/{file}: "):
        report.write([folder], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def change(path, value):
    """A function that puts `value` at `path` in an object."""

    def apply(target):
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    "path, value, words",
    [
        (("format",), 3, "'format': expected a string but got 3"),
        (("bytes",), -1, "'bytes': expected a count"),
        (("bits",), "4", "'bits': expected a number or null but got '4'"),
        (("bits",), True, "'bits': expected a number or null"),
        (("tensors",), {}, "'tensors': expected a list"),
        (("tensors", 3), [], "tensor 3: expected an object"),
        (("tensors", 3, "error"), "x", "tensor 3: 'error': expected a number or null"),
        (("tensors", 3, "shape"), [-1], "tensor 3: 'shape': expected a shape"),
        (("tensors", 3, "shape"), [7, 7], "expected shape .* but got \\(7, 7\\)"),
        (("tensors", 3, "name"), "x", "tensor 'x': not in decoder.json"),
    ],
)
def test_wrong_values(tmp_path, model, description, path, value, words):
    quantize = quantized(description)
    change(path, value)(quantize)
    folder = model("a", quantize)
    with pytest.raises(RotqError, match=f"a/quantize.json: .*{words}"):
        report.write([folder], tmp_path / "report.html")


def test_a_tensor_twice(model, description):
    quantize = quantized(description)
    quantize["tensors"].append(quantize["tensors"][0])
    with pytest.raises(RotqError, match="listed twice"):
        report_inputs.read([model("a", quantize)])


@pytest.mark.parametrize("key, value", [("ppl", None), ("tokens", 1.5), ("kl", "x"), ("text", 3)])
def test_wrong_rows(model, key, value):
    folder = model("a", evaluations=[evaluation("rq3", 9.0), evaluation("rq3", 9.0) | {key: value}])
    with pytest.raises(RotqError, match=f"a/evaluations.json: row 1: '{key}': expected a"):
        report_inputs.read([folder])


def test_a_key_that_is_absent(model):
    row = evaluation("rq3", 9.0, 0.5, "bf16")
    del row["ppl"]
    with pytest.raises(RotqError, match="row 0: no 'ppl'"):
        report_inputs.read([model("a", evaluations=[row])])
