# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which format every tensor of a model gets."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

from . import formats
from .checkpoint import Checkpoint, compiled
from .description import FLOATS, shown
from .error import RotqError
from .formats import Format
from .json_text import parse_object

#: Leaves a tensor as it is, where a rule has this for a format.
KEEP = "keep"


class Plan:
    """Rules in order, of which the first whose regular expression matches the
    whole name of a tensor says what becomes of it:

        {"<regex>": "<preset>" | {declaration} | "keep", ...}
    """

    def __init__(self, rules: Mapping[str, str | Mapping], where: str = "plan"):
        """Raises RotqError where a regular expression or a format is none;
        `where` is what messages call the plan."""
        self._where = where
        self._rules = []
        for pattern, value in rules.items():
            try:
                self._rules.append((pattern, compiled(pattern), _format(value)))
            except RotqError as error:
                raise self._error(pattern, error) from None

    def _error(self, pattern: str, what: object) -> RotqError:
        return RotqError(f"{self._where}: rule '{pattern}': {what}")

    def choose(self, source: Checkpoint, default: Mapping[str, Format]) -> dict[str, Format]:
        """The tensors of `source` to pack and their formats: as `default` has it
        where no rule matches. Raises RotqError where a rule matches no tensor, and
        where a tensor cannot be packed."""
        result, used = {}, set()
        for name in source:
            rules = [rule for rule in self._rules if rule[1].fullmatch(name)]
            used.update(pattern for pattern, _, _ in rules)
            format = rules[0][2] if rules else default.get(name)
            if format is None:
                continue
            try:
                check_weight(source, name)
            except RotqError as error:
                raise (self._error(rules[0][0], error) if rules else error) from None
            result[name] = format
        for pattern, _, _ in self._rules:
            if pattern not in used:
                raise self._error(pattern, f"matches no tensor of {source.path}")
        return result


def load(path: str | os.PathLike) -> Plan:
    """The plan in the JSON file at `path`."""
    path = Path(path)

    def unique(pairs: list[tuple[str, object]]) -> dict:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise RotqError(f"{path}: a key is there twice")
        return result

    try:
        text = path.read_bytes()
    except OSError as error:
        raise RotqError(f"{path}: {error.strerror}") from None
    return Plan(parse_object(text, f"{path}:", object_pairs_hook=unique), str(path))


def _format(value: object) -> Format | None:
    if value == KEEP:
        return None
    if isinstance(value, str):
        return formats.lookup(value)
    if isinstance(value, Mapping):
        return formats.lookup(json.dumps(value))
    raise RotqError(f"expected a format or '{KEEP}' but got {shown(value)}")


def check_weight(source: Checkpoint, name: str) -> None:
    """Refuses what is no matrix, and a weight whose numbers are not its values:
    integers and float8 have scales beside them."""
    where = f"{source.path}: tensor '{name}'"
    dtype, shape = source.dtype(name), source.shape(name)
    if dtype not in FLOATS:
        raise RotqError(f"{where}: expected floats of 16 bits or more to quantize but got {dtype}")
    if len(shape) != 2 or not math.prod(shape):
        raise RotqError(f"{where}: expected weights to quantize but got shape {shape}")
