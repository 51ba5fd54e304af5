# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JSON that comes from outside."""

from __future__ import annotations

import json

from .error import RotqError


def parse(text: str | bytes, where: str, **options) -> object:
    """The value of `text`; bytes are UTF-8. Raises RotqError "`where` not JSON".
    `options` are those of json.loads."""
    try:
        return json.loads(text.decode() if isinstance(text, bytes) else text, **options)
    except (ValueError, RecursionError):
        raise RotqError(f"{where} not JSON") from None


def parse_object(text: str | bytes, where: str, **options) -> dict:
    """The same, where an object is expected."""
    value = parse(text, where, **options)
    if not isinstance(value, dict):
        raise RotqError(f"{where} not a JSON object")
    return value
