# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What benchmarks/tune plans, and makes of what was measured."""

import json

import pytest
from conftest import load_script

from rotq import RotqError, compiler

tune = load_script("tune")

PROBLEM = ("rq3", (4096,), 4096)
GROUP = ("itq3_s", (4096, 1024, 1024), 4096)
TABLE = """\
# Old.
chip: sm_90a
device: Old
date: 2000-01-01
warps: 64
measured:
- {format: rq2}
"""


@pytest.fixture(autouse=True)
def tools():
    try:
        compiler.tool("quant-opt")
    except RotqError as error:
        pytest.skip(str(error))


def write_results(path, rows, device="Test"):
    """Rows are ((format, Ns, K), M, kernel, us)."""
    lines = [{"device": device, "date": "2026-02-03"}]
    for (name, ns, k), m, kernel, us in rows:
        line = {"format": name, "ns": ns, "N": sum(ns), "K": k, "M": m}
        lines.append(line | {"kernel": kernel, "us": us})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_shapes_are_written_with_their_groups():
    assert tune.shape("4096x14336") == ((4096,), 14336)
    assert tune.shape("4096+1024+1024x4096") == ((4096, 1024, 1024), 4096)


def test_kernels_have_the_names_that_tables_have():
    text = (
        "#rotq.kernel<wgmma_s8, m = [33, 0], rows = 16, cols = 64, warps = 8, "
        "split = 2, stages = 4, blocks = 1>"
    )
    assert tune.short_name(text) == "wgmma_s8_r16c64w8s2t4b1"
    whole = "matmul_rq3_rotated_n4096_1024_k4096_wgmma_s8_m33_0_r16c64w8s2t4b1_f16_g256"
    assert tune.configuration_of(whole) == "wgmma_s8_r16c64w8s2t4b1"


@pytest.mark.parametrize("problem", [PROBLEM, GROUP])
def test_plan_has_what_the_compiler_chooses_and_little_else(problem):
    arguments = tune.parse(["build", "--out", "-", "--rows", "1", "64", "--most", "3"])
    kernels, pairs = tune.plan(problem, arguments)
    ms = [m for rows in kernels.values() for m in rows]
    assert set(ms) == {1, 64}
    assert 2 <= len(kernels) <= 8 and len(ms) < pairs / 2
    planned = {tune.short_name(kernel): rows for kernel, rows in kernels.items()}
    for m, answer in tune.ask(problem, [1, 64], "sm_90a", 1.5).items():
        assert m in planned[tune.short_name(answer["chosen"])]
    # Every kernel is compiled for all rows that its kind takes.
    assert all("m = [1, 32]" in kernel for kernel, rows in kernels.items() if 1 in rows)
    tune.module(problem, list(kernels))


def test_a_group_is_planned_as_one():
    (answer,) = tune.ask(GROUP, [1], "sm_90a", 1.5).values()
    alone = tune.ask(("itq3_s", (6144,), 4096), [1], "sm_90a", 1.5)
    assert answer["space"] < alone[1]["space"]  # its members take registers


def test_unseen_shapes_are_twenty_and_not_those_of_the_table():
    problems = tune.problems_of(tune.parse(["build", "--out", "-", "--unseen"]))
    shapes = {(ns, k) for _, ns, k in problems}
    assert len(shapes) == 20
    assert not shapes & set(tune.SHAPES)
    assert {name for name, _, _ in problems} == set(tune.speed.FORMATS)


def kernels_that_can_be_chosen(m):
    answer = tune.ask(PROBLEM, [m], "sm_90a", tune.ANY_SLACK)[m]
    return sorted(map(tune.short_name, answer["candidates"]))


def test_table_keeps_the_best_and_what_comes_near(tmp_path):
    kernels = kernels_that_can_be_chosen(8)[:7]
    rows = [(PROBLEM, 8, kernel, 11 + i) for i, kernel in enumerate(kernels)]
    rows += [(PROBLEM, 8, kernels[0], 12), (GROUP, 64, "wgmma_s8_r16c64w8t4b1", 3.14159)]
    # A kind that takes other rows, and what ptxas has too few registers for.
    rows += [(PROBLEM, 64, "mma_s8_r16c32w4", 1), (PROBLEM, 8, "mma_s8_r16c8w4b30", 1)]
    results = write_results(tmp_path / "a.jsonl", rows)
    path = tmp_path / "table.yaml"
    path.write_text(TABLE)
    assert tune.main(["table", str(results), "--out", str(path)]) == 0
    head, measured = path.read_text().split("measured:\n")
    assert "Old" not in head
    assert head.endswith("chip: sm_90a\nwarps: 64\ndevice: Test\ndate: 2026-02-03\n")
    near = ", ".join(f"{kernel}: {11 + i}.00" for i, kernel in enumerate(kernels[:6]))
    assert measured == (
        "- {format: itq3_s, group: 256, n: 6144, k: 4096, members: 3, "
        "m: 64, us: {wgmma_s8_r16c64w8t4b1: 3.14}}\n"
        f"- {{format: rq3, group: 256, n: 4096, k: 4096, m: 8, us: {{{near}}}}}\n"
    )


def test_table_keeps_formats_that_were_not_measured_again(tmp_path, capsys):
    kernel = kernels_that_can_be_chosen(8)[0]
    results = write_results(tmp_path / "a.jsonl", [(PROBLEM, 8, kernel, 5)])
    rows = [
        f"- {{format: {name}, group: 256, n: 64, k: 512, m: 1, us: {{{kernel}: 1.00}}}}\n"
        for name in ("rq3", "rq4")
    ]
    path = tmp_path / "table.yaml"
    path.write_text("chip: sm_90a\ndevice: Test\ndate: 2026-01-01\nmeasured:\n" + "".join(rows))
    assert tune.main(["table", str(results), "--out", str(path)]) == 0
    new = f"- {{format: rq3, group: 256, n: 4096, k: 4096, m: 8, us: {{{kernel}: 5.00}}}}\n"
    text = path.read_text()
    assert text.endswith("measured:\n" + new + rows[1])
    # Times of two devices do not compare.
    results = write_results(tmp_path / "b.jsonl", [(PROBLEM, 8, kernel, 5)], "Other")
    assert tune.main(["table", str(results), "--out", str(path)]) == 2
    assert "measured on another device than Other" in capsys.readouterr().err
    assert path.read_text() == text


def test_results_of_several_devices_are_refused(tmp_path):
    files = [
        write_results(tmp_path / f"{device}.jsonl", [(PROBLEM, 8, "mma_s8_r16c8w4", 1)], device)
        for device in ("One", "Other")
    ]
    with pytest.raises(RotqError, match="of Other, not One"):
        tune.read_results(files)


def test_no_results_make_no_table(tmp_path, capsys):
    path = tmp_path / "table.yaml"
    path.write_text(TABLE)
    results = write_results(tmp_path / "a.jsonl", [])
    assert tune.main(["table", str(results), "--out", str(path)]) == 2
    assert "expected results" in capsys.readouterr().err
    assert path.read_text() == TABLE


@pytest.mark.parametrize("ratio, code", [(1.05, 0), (1.2, 1)])
def test_verify_compares_what_is_chosen_with_the_best(tmp_path, capsys, ratio, code):
    chosen = tune.short_name(tune.ask(PROBLEM, [8], "sm_90a", 1)[8]["chosen"])
    other = next(kernel for kernel in kernels_that_can_be_chosen(8) if kernel != chosen)
    rows = [(PROBLEM, 8, chosen, 10 * ratio), (PROBLEM, 8, other, 10)]
    results = write_results(tmp_path / "a.jsonl", rows)
    assert tune.main(["verify", str(results)]) == code
    assert f"{ratio:.2f}  rq3 4096 x 4096, M = 8" in capsys.readouterr().out
    # One that was not measured is not within anything.
    results = write_results(tmp_path / "b.jsonl", rows[1:])
    assert tune.main(["verify", str(results)]) == 1
    assert "not measured" in capsys.readouterr().out
