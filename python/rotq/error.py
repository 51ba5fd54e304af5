# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the package raises when a file, an argument or a device is at fault."""

from __future__ import annotations


class RotqError(Exception):
    """One lower-case sentence that names what is wrong and where."""
