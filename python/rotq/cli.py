# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line: `python -m rotq <command>`."""

from __future__ import annotations

import argparse
import json
import sys

from . import formats
from .error import RotqError


def _formats(_: argparse.Namespace) -> None:
    width = max(map(len, formats.names()))
    print(f"{'format':<{width}} {'bits/weight':>11}  rotation        scale        codebook")
    for name in formats.names():
        format = formats.lookup(name)
        parts = format.declaration
        block = parts["rotation"].get("block")
        rotation = parts["rotation"]["kind"] + (f" {block}" if block else "")
        scale = f"{parts['scale']['type']}/{parts['scale']['group']}"
        if parts["scale"]["offset"]:
            scale += "+offset"
        codebook = f"{parts['codebook']['kind']} of {parts['codebook']['bits']} bits"
        layout = format.layout(4096, 4096)
        if layout.max_compressed_bytes:
            codebook += ", fewer in archives"
        bits = layout.bits_per_weight
        print(f"{name:<{width}} {bits:>11.4f}  {rotation:<14}  {scale:<11}  {codebook}")


def _quantize(arguments: argparse.Namespace) -> None:
    from . import checkpoint, model_dir, plan
    from .quantize import quantize, quantize_model

    format = formats.given(arguments.format)
    options = {
        "include": arguments.include,
        "exclude": arguments.exclude,
        "threads": arguments.threads,
    }
    if arguments.plan:
        options["plan"] = plan.load(arguments.plan)
    if arguments.measure is not None:
        options["measure"] = arguments.measure
    if model_dir.is_model(arguments.model):
        if arguments.embeddings:
            options["embeddings"] = formats.given(arguments.embeddings)
        model = model_dir.open_model(arguments.model)
        options |= {"scales": arguments.scales, "feedback": arguments.feedback}
        report = quantize_model(model, arguments.out, format, **options)
    else:
        for option in ("scales", "feedback"):
            if getattr(arguments, option):
                raise RotqError(
                    f"{arguments.model}: --{option} is for model directories that have been "
                    "calibrated"
                )
        if arguments.embeddings:
            raise RotqError(
                f"{arguments.model}: --embeddings is for model directories, which say what they "
                "are: name the tensors in a --plan"
            )
        source = checkpoint.open(arguments.model)
        for note in source.notes:
            print(f"note: {arguments.model}: {note}", file=sys.stderr)
        report = quantize(source, arguments.out, format, **options)
    print(
        f"{report.path}: {report.weights} weights in {report.format}"
        f"{' with feedback' if report.feedback else ''}, "
        f"{report.bits_per_weight:.4f} bits per weight, {report.archive_bytes} bytes, "
        f"{report.weights_per_second / 1e6:.1f} M weights/s"
    )
    if report.scales:
        used = sum(choice.rule != "none" for choice in report.scales)
        print(
            f"activation-aware scales: {used} of {len(report.scales)} places, expected error of "
            f"outputs {report.mean_gain_db:.2f} dB lower"
        )
    if report.errors:
        print(
            f"relative squared error: mean {report.mean_error:.6f}, worst "
            f"{report.errors[report.worst]:.6f} ({report.worst})"
        )


def _import(arguments: argparse.Namespace) -> None:
    from .importer import import_model

    description = import_model(arguments.model, arguments.out)
    attention = description["attention"]
    print(
        f"{arguments.out}: {description['architecture']}, {len(description['layers'])} layers of "
        f"{description['hidden']}, {attention['heads']} heads of {attention['head_size']}, "
        f"{description['vocabulary']} tokens"
    )


def _calibrate(arguments: argparse.Namespace) -> None:
    from . import model_dir
    from .calibrate import calibrate_file

    model = model_dir.open_model(arguments.model)
    tokens = calibrate_file(model, arguments.text, most=arguments.tokens, window=arguments.window)
    print(f"{model.path / model_dir.CALIBRATION}: covariances over {tokens} tokens")


def _inspect(arguments: argparse.Namespace) -> None:
    from . import archive

    packed = archive.open(arguments.archive)
    for format in packed.formats.values():
        print(f"format {format.name}: {format.json}")
    weights, packed_bits = 0, 0.0
    for name in packed:
        shape = " x ".join(str(extent) for extent in packed.shape(name))
        if name in packed.weights:
            (n, k), format = packed.weights[name]
            bits = packed.stored_bits(name)
            weights += n * k
            packed_bits += bits * n * k
            kind = f"{format.name}, {bits:.4f} bits per weight"
        else:
            kind = packed.dtype(name)
        print(f"{name}: {shape}, {kind}")
    if weights:
        print(f"{weights} packed weights, {packed_bits / weights:.4f} bits per weight")


def _dequantize(arguments: argparse.Namespace) -> None:
    from . import archive
    from .quantize import dequantize

    dequantize(archive.open(arguments.archive), arguments.out, arguments.dtype.upper())


def _generate(arguments: argparse.Namespace) -> None:
    from .generate import Sampling, Speed, generate
    from .inference import Runner

    sampling = Sampling(arguments.temperature, arguments.top_p, arguments.seed)
    speed = Speed()
    runner = Runner(arguments.model)
    print(arguments.prompt, end="", flush=True)
    pieces = generate(
        runner, arguments.prompt, most=arguments.tokens, sampling=sampling, speed=speed
    )
    for piece in pieces:
        print(piece, end="", flush=True)
    print(f"\n{speed}", file=sys.stderr)


def _eval(arguments: argparse.Namespace) -> None:
    from . import evaluate
    from .inference import Runner

    runner = Runner(arguments.model)
    against = Runner(arguments.against) if arguments.against else None
    row = evaluate.evaluate_file(
        runner,
        arguments.text,
        most=arguments.tokens,
        window=arguments.window,
        stride=arguments.stride,
        against=against,
    )
    evaluate.record(arguments.model, row)
    if arguments.json:
        print(json.dumps(row))
        return
    print(
        f"{row['format']}, {row['bits']:.4f} bits per weight: perplexity {row['ppl']:.4f} over "
        f"{row['tokens']} tokens in windows of {row['window']}, {row['stride']} apart"
    )
    if against:
        print(
            f"against {row['against']}: KL divergence {row['kl']:.5f} nats per token, "
            f"the same best token {100 * row['top1']:.2f} % of the time"
        )


def _yardstick(arguments: argparse.Namespace) -> None:
    from . import products, yardstick

    chosen = yardstick.chosen(arguments.formats)
    width = max(map(len, ["format", *(format.name for format in chosen)]))
    options = {"threads": arguments.threads}
    if arguments.activations:
        if arguments.model:
            raise RotqError("--activations is for Gaussian weights, and not for --model")
        weights = yardstick.gaussian(arguments.rows, arguments.columns, arguments.seed)
        x = products.activations(arguments.rows, arguments.columns, arguments.seed + 1)
        losses = products.measure(chosen, weights, x, **options)
        (yardstick.print_json(losses) if arguments.json else products.print_table(losses, width))
        return
    if arguments.model:
        losses = yardstick.measure_model(chosen, arguments.model, **options)
        show = yardstick.print_model
    else:
        weights = yardstick.gaussian(arguments.rows, arguments.columns, arguments.seed)
        losses = yardstick.measure(chosen, weights, **options)
        show = yardstick.print_gaussian
    if arguments.json:
        yardstick.print_json(losses)
    else:
        show(losses, width)


def _report(arguments: argparse.Namespace) -> None:
    from . import report

    inputs = report.write(arguments.models, arguments.out)
    for note in inputs.skipped:
        print(f"note: {note}", file=sys.stderr)
    labels = ", ".join(result.label for result in inputs.results)
    print(f"{arguments.out}: {report.model_name(inputs)} in {labels}")


def _demo(arguments: argparse.Namespace) -> None:
    from . import demo

    demo.run(arguments.out)


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ValueError
    return count


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rotq", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("formats", help="list the weight formats")
    command.set_defaults(run=_formats)

    command = commands.add_parser("quantize", help="pack a model's linear layers")
    command.add_argument(
        "model", help="a model directory, a GGUF or safetensors file, or a folder of the latter"
    )
    command.add_argument(
        "out", help="the archive to write (.safetensors); of a model directory, another"
    )
    command.add_argument(
        "--format",
        default="rq3",
        help="see `rotq formats`, or a .json file that declares one; default %(default)s",
    )
    command.add_argument(
        "--plan",
        metavar="JSON",
        help='file of {"regular expression": format or "keep"}: the first that matches a '
        "tensor's whole name goes ahead of all else",
    )
    command.add_argument(
        "--embeddings", metavar="FORMAT", help="of a model directory's embedding and head"
    )
    command.add_argument(
        "--scales",
        action=argparse.BooleanOptionalAction,
        help="activation-aware scales; default: of model directories that `calibrate` was run on",
    )
    command.add_argument(
        "--feedback",
        action=argparse.BooleanOptionalAction,
        help="make good errors of columns by those behind; default: of model directories that "
        "`calibrate` was run on",
    )
    command.add_argument("--include", help="regular expression: the tensors to pack")
    command.add_argument("--exclude", help="regular expression: tensors to leave")
    command.add_argument("--threads", type=_count, default=0, help="default: one for every core")
    command.add_argument(
        "--measure",
        action=argparse.BooleanOptionalAction,
        help="decode every weight again for its error; default: of model directories",
    )
    command.set_defaults(run=_quantize)

    command = commands.add_parser("import", help="make a model directory of a published model")
    command.add_argument("model", help="a Hugging Face directory or a GGUF file")
    command.add_argument("out", help="the directory to write")
    command.set_defaults(run=_import)

    command = commands.add_parser(
        "calibrate", help="measure what a model's layers read, for `quantize` to encode by"
    )
    command.add_argument("model", help="a model directory that is not packed")
    command.add_argument("--text", required=True, help="a text file")
    command.add_argument(
        "--window", type=int, help="tokens read together; default: 512, or the context if less"
    )
    command.add_argument(
        "--tokens",
        type=_count,
        default=8192,
        help="of the text, from its start; default %(default)s",
    )
    command.set_defaults(run=_calibrate)

    command = commands.add_parser("generate", help="continue a text")
    command.add_argument("model", help="a model directory")
    command.add_argument("-p", "--prompt", required=True, help="the text to continue")
    command.add_argument("--tokens", type=int, default=128, help="at most; default %(default)s")
    command.add_argument(
        "--temperature", type=float, default=0.0, help="of sampling; default: the best token"
    )
    command.add_argument(
        "--top-p", type=float, default=1.0, help="sample of this share of the probability"
    )
    command.add_argument("--seed", type=_count, default=0, help="of sampling")
    command.set_defaults(run=_generate)

    command = commands.add_parser("eval", help="measure perplexity on a text")
    command.add_argument("model", help="a model directory")
    command.add_argument("--text", required=True, help="a text file")
    command.add_argument("--against", help="a model directory to compare with: KL, top-1")
    command.add_argument(
        "--window", type=int, default=2048, help="tokens read together; default %(default)s"
    )
    command.add_argument(
        "--stride", type=int, help="tokens from a window to the next; default: the window"
    )
    command.add_argument("--tokens", type=_count, help="of the text, from its start; default: all")
    command.add_argument("--json", action="store_true", help="print the row as JSON")
    command.set_defaults(run=_eval)

    command = commands.add_parser("yardstick", help="measure what formats lose of weights")
    command.add_argument(
        "formats",
        nargs="*",
        metavar="FORMAT",
        help="a preset, a declaration in JSON or a .json file of one, or, of Gaussian weights, "
        "e8_rice_2 to e8_rice_5, lattice points in Rice codes; default: all",
    )
    command.add_argument(
        "--model",
        help="measure on its linear layers and not on Gaussian weights: what `quantize` takes",
    )
    command.add_argument(
        "--activations",
        action="store_true",
        help="measure products by activations rounded to f16, int8, fp8, nvfp4 and mxfp4",
    )
    command.add_argument(
        "--rows", type=_count, default=64, help="of Gaussian weights; default %(default)s"
    )
    command.add_argument(
        "--columns", type=_count, default=4096, help="of Gaussian weights; default %(default)s"
    )
    # Tables are trained on draws of other seeds.
    command.add_argument(
        "--seed", type=_count, default=27182, help="of Gaussian weights; default %(default)s"
    )
    command.add_argument("--threads", type=_count, default=0, help="default: one for every core")
    command.add_argument("--json", action="store_true", help="print one object for every format")
    command.set_defaults(run=_yardstick)

    command = commands.add_parser("inspect", help="check an archive and list what it holds")
    command.add_argument("archive")
    command.set_defaults(run=_inspect)

    command = commands.add_parser("dequantize", help="unpack an archive to plain safetensors")
    command.add_argument("archive")
    command.add_argument("out", help="the safetensors file to write")
    command.add_argument("--dtype", choices=("f32", "f16", "bf16"), default="f16")
    command.set_defaults(run=_dequantize)

    command = commands.add_parser("report", help="compare formats of a model on an HTML page")
    command.add_argument("models", nargs="+", metavar="DIR", help="model directories of one model")
    command.add_argument("-o", "--out", default="report.html", help="default: %(default)s")
    command.set_defaults(run=_report)

    command = commands.add_parser("demo", help="quantize SmolLM2-135M in every way and compare")
    command.add_argument("--out", default="out", help="folder of the archives; default %(default)s")
    command.set_defaults(run=_demo)
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except RotqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
