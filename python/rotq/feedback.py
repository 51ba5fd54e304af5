# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Feedback of errors while encoding: what a column errs by is made good by those behind
it (GPTQ, Frantar et al., arXiv 2210.17323; in blocks: QuIP#, Tseng et al., arXiv
2402.04396).

Outputs of a weight encoded with an error E err by tr(E C E^T), C the covariance of what
it reads. The codec takes off the columns behind column i of a rotated weight its error
times row i of V, unit upper triangular, of

    (R C R^T + damping)^-1 = V^T D V

with the damping on the diagonal, DAMPING of its mean: C is measured on few tokens.
"""

from __future__ import annotations

import numpy as np

from . import codec
from .error import RotqError
from .formats import Format
from .moments import Moments
from .scaling import Scaled

DAMPING = 0.01


def factor(format: Format, covariance: np.ndarray) -> np.ndarray | None:
    """V for weights in `format`, padded columns squared, of the covariance of what they
    read. None where that is zero. Raises RotqError where it is not one."""
    k = len(covariance)
    mean = float(np.trace(covariance, dtype=np.float64)) / k
    if mean == 0:
        return None
    padded = format.layout(1, k).padded_length
    h = np.zeros((padded, padded), np.float32)
    h[:k, :k] = covariance / np.float32(mean)
    h = codec.rotate(format, codec.rotate(format, h).T).astype(np.float64)
    h[np.diag_indices(padded)] += DAMPING
    # With J the reversal of an order and J H J = L L^T, H = U U^T for U = J L J, upper
    # triangular, and H^-1 = U^-T U^-1.
    try:
        upper = np.linalg.cholesky(h[::-1, ::-1])[::-1, ::-1]
        inverse = np.linalg.inv(upper)
    except np.linalg.LinAlgError:
        raise RotqError("expected a covariance but got a matrix that is not positive") from None
    return (inverse / np.diagonal(inverse)[:, None]).astype(np.float32)


class Factors:
    """Those of the weights of a model. Weights that read together and are encoded one
    after the other share one."""

    def __init__(self, moments: Moments, scaled: Scaled | None = None):
        """Weights are encoded as `scaled` has them, if that is given."""
        self._moments, self._scaled = moments, scaled
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
            scales = self._scaled.columns(name) if self._scaled else None
            if scales is not None:
                covariance /= scales
                covariance /= scales[:, None]
            try:
                self._last = (key, factor(format, covariance))
            except RotqError as error:
                raise RotqError(f"{self._moments.path}: tensor '{places[0]}': {error}") from None
        return self._last[1]
