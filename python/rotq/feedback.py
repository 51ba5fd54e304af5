# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Feedback of errors while encoding: what a column errs by is made good by those behind
it (GPTQ, Frantar et al., arXiv 2210.17323; in blocks: QuIP#, Tseng et al., arXiv
2402.04396).

Outputs of a weight encoded with an error E err by tr(E C E^T), C the covariance of what
it reads. The codec takes off the columns behind column i of a rotated weight its error
times row i of V, unit upper triangular, of

    (R C R^T + damping)^-1 = V^T D V

with the damping on the diagonal, DAMPING of its mean: C is measured on few tokens. Where
rounding has left C less positive than that, the damping is ten times as much.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import codec
from .error import RotqError
from .formats import Format
from .moments import Moments

DAMPING = 0.01


def factor(
    format: Format, covariance: np.ndarray, scales: np.ndarray | None = None
) -> np.ndarray | None:
    """V for weights in `format`, padded columns squared, of the covariance of what they
    read, divided by the `scales` that their columns were multiplied by. None where that is
    zero. Raises RotqError where it is no covariance."""
    k = len(covariance)
    covariance = covariance.astype(np.float64)
    if scales is not None:
        covariance = covariance / scales / scales[:, None]
    mean = float(np.trace(covariance)) / k
    if mean == 0:
        return None
    padded = format.layout(1, k).padded_length
    h = np.zeros((padded, padded), np.float32)
    with np.errstate(invalid="ignore"):  # what comes of it is checked
        h[:k, :k] = covariance / mean
    if not np.isfinite(h).all():
        raise RotqError("expected a covariance but got numbers that are not finite")
    h = codec.rotate(format, codec.rotate(format, h).T).astype(np.float64)
    inverse = _inverse(_upper_root(h))
    return (inverse / np.diagonal(inverse)[:, None]).astype(np.float32)


def _upper_root(h: np.ndarray) -> np.ndarray:
    """U, upper triangular, of H + damping = U U^T."""
    # With J the reversal of an order and J H J = L L^T, U is J L J.
    for damping in (DAMPING, 10 * DAMPING):
        damped = h + damping * np.eye(len(h))
        try:
            return np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1]
        except np.linalg.LinAlgError:
            continue
    raise RotqError("expected a covariance but got a matrix that is not positive")


def _inverse(upper: np.ndarray) -> np.ndarray:
    """Of an upper triangular matrix, by halves: those of numpy take any matrix, six times
    as long."""
    n = len(upper)
    if n <= 64:
        return np.linalg.inv(upper)
    first, last = slice(n // 2), slice(n // 2, n)
    result = np.zeros((n, n))
    result[first, first] = _inverse(upper[first, first])
    result[last, last] = _inverse(upper[last, last])
    result[first, last] = -result[first, first] @ upper[first, last] @ result[last, last]
    return result


class Factors:
    """Those of the weights of a model. Weights that read together and are encoded one
    after the other share one."""

    def __init__(self, moments: Moments, scales: Callable[[str], np.ndarray | None]):
        """`scales` gives what the columns of a weight have been multiplied by, if they
        have."""
        self._moments, self._scales = moments, scales
        self._last: tuple = (None, None)

    def of(self, name: str, format: Format) -> np.ndarray | None:
        """That of a weight, or None where there is none to be had."""
        places = self._moments.places(name)
        if not places:
            return None
        key = (places, str(format.declaration["rotation"]))
        if self._last[0] != key:
            self._last = (None, None)  # or it is there beside the next
            covariance = self._moments.covariance(name)
            try:
                self._last = (key, factor(format, covariance, self._scales(name)))
            except RotqError as error:
                raise RotqError(f"{self._moments.path}: tensor '{places[0]}': {error}") from None
        return self._last[1]
