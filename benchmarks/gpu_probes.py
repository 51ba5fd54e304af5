# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels that only read, and one that does nothing: the floors of run_gpu.

They are a bundle like any other, so they are launched as RotQ's kernels are,
overlapped too. The driver assembles them.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

#: Threads of a block.
THREADS = 256
#: Loads of 16 bytes that a thread has under way.
LOADS = (2, 4, 8)

#: Lets the next kernel start, and waits for the one before. What is loaded ahead
#: of the wait must not be so by ld.global.nc: ptxas puts the wait first.
START_NEXT, WAIT = "griddepcontrol.launch_dependents;", "griddepcontrol.wait;"


def name_of(kind: str, overlapped: bool) -> str:
    return f"{kind}_overlapped" if overlapped else kind


def _empty(overlapped: bool) -> str:
    return f"""
.visible .entry {name_of("empty", overlapped)}(.param .u64 sink)
{{
  {START_NEXT if overlapped else ""}
  {WAIT if overlapped else ""}
  ret;
}}
"""


def _read(loads: int, overlapped: bool) -> str:
    """Stores the number of a thread, from 1, where all it reads adds up, by xor,
    to `magic`: so it has to read everything, and stores hardly anything."""
    name = name_of(f"read{loads}", overlapped)
    load = """
  setp.lt.u32 %inside, %at, %count;
  mul.wide.u32 %offset, %at, 16;
  add.u64 %address, %words, %offset;
  @%inside ld.global.L1::no_allocate.v4.u32 {{%w{0}, %w{1}, %w{2}, %w{3}}}, [%address];
  add.u32 %at, %at, {threads};"""
    words = range(4 * loads)
    zeros = "\n".join(f"  mov.u32 %w{i}, 0;" for i in words)
    reads = "".join(load.format(*range(4 * i, 4 * i + 4), threads=THREADS) for i in range(loads))
    sums = "\n".join(f"  xor.b32 %sum, %sum, %w{i};" for i in words)
    return f"""
.visible .entry {name}(.param .u64 words, .param .u64 sink, .param .u32 count, .param .u32 magic)
{{
  .reg .pred %inside, %hit;
  .reg .b32 %w<{4 * loads}>, %at, %count, %magic, %sum, %thread, %block;
  .reg .b64 %words, %sink, %offset, %address;
  {START_NEXT if overlapped else ""}
  ld.param.u64 %words, [words];
  ld.param.u64 %sink, [sink];
  ld.param.u32 %count, [count];
  ld.param.u32 %magic, [magic];
  mov.u32 %thread, %tid.x;
  mov.u32 %block, %ctaid.x;
  mad.lo.u32 %at, %block, {loads * THREADS}, %thread;
{zeros}
{reads}
  mov.u32 %sum, 0;
{sums}
  {WAIT if overlapped else ""}
  setp.ne.u32 %hit, %sum, %magic;
  @%hit bra done;
  mad.lo.u32 %at, %block, {THREADS}, %thread;
  add.u32 %at, %at, 1;
  st.global.u32 [%sink], %at;
done:
  ret;
}}
"""


def ptx(overlapped: bool) -> str:
    """All of them. Launches overlap from sm_90 on."""
    kernels = [(_empty, ()), *((_read, (loads,)) for loads in LOADS)]
    modes = [False, True] if overlapped else [False]
    bodies = [kernel(*arguments, mode) for kernel, arguments in kernels for mode in modes]
    chip = "sm_90" if overlapped else "sm_80"
    return f".version 8.0\n.target {chip}\n.address_size 64\n" + "".join(bodies)


def manifest(overlapped: bool) -> dict:
    words = {"name": "words", "kind": "pointer", "access": "read", "type": "u8", "shape": [16]}
    sink = {"name": "sink", "kind": "pointer", "access": "write", "type": "i32", "shape": [1]}
    scalars = [{"name": "count", "kind": "i32"}, {"name": "magic", "kind": "i32"}]
    one = {"count": 1}
    kernels = []
    for mode in [False, True] if overlapped else [False]:
        common = {"block": [THREADS, 1, 1], "pdl": mode}
        kernels.append(
            {"name": name_of("empty", mode), "role": "empty", "params": [sink]}
            | {"grid": [one] * 3, **common}
        )
        for loads in LOADS:
            grid = {"count": 1, "over": "count", "tile": loads * THREADS}
            kernels.append(
                {"name": name_of(f"read{loads}", mode), "role": "read"}
                | {"params": [words, sink, *scalars], "grid": [grid, one, one], **common}
            )
    return {
        "version": 1,
        "targets": ["sm_90" if overlapped else "sm_80"],
        "kernels": kernels,
    }


def write(path: Path, overlapped: bool) -> None:
    """The bundle; with kernels that overlap, or without."""
    text = ptx(overlapped).encode()
    header = {
        "__metadata__": {"rotq.bundle": "1", "manifest": json.dumps(manifest(overlapped))},
        "fatbin": {"dtype": "U8", "shape": [len(text)], "data_offsets": [0, len(text)]},
    }
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + text)
