#!/usr/bin/env python3
"""check_pass_examples.py QUANT_OPT REFERENCE.md: every pass whose description
shows two mlir blocks turns the first into the second, up to the names of
values."""

import re
import subprocess
import sys


def normalized(quant_opt, text, *flags):
    result = subprocess.run(
        [quant_opt, *flags], input=text, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"{' '.join(flags) or 'parsing'} failed:\n{result.stderr}\n{text}")
    return result.stdout


def main(quant_opt, reference):
    checked = 0
    sections = re.split(r"^### `-(.*)`$", open(reference).read(), flags=re.MULTILINE)
    for flag, section in zip(sections[1::2], sections[2::2]):
        blocks = re.findall(r"^```mlir\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
        if not blocks:
            continue
        before, after = blocks
        actual, expected = normalized(quant_opt, before, f"--{flag}"), normalized(quant_opt, after)
        if actual != expected:
            sys.exit(f"--{flag} gives\n{actual}\nand not, as documented,\n{expected}")
        checked += 1
    print(f"{checked} examples")


main(*sys.argv[1:])
