# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the linear layers of a model read, measured on a text: the covariance, the
mean of x x^T over tokens, of every place. `feedback` makes encoders use it, and
`scaling` makes activation-aware scales of its diagonal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from . import compiler, evaluate, host, inference, model_dir, moments
from .archive import Archive
from .error import RotqError
from .model_dir import Model

#: Tokens read together.
WINDOW = 512


def measure(
    model: Model, tokens: Sequence[int], *, window: int | None = None, progress: bool = True
) -> dict[str, np.ndarray]:
    """The covariance of what is read at every place of `model`, which must not be packed,
    by its name (see `moments.places`): K x K floats each. `tokens` are read in windows
    that do not overlap (by default of WINDOW, or the context where that is less), the
    token that starts texts ahead of each where the model has one. The weights and the
    covariances are in memory as f32. Raises RotqError where the tokens, the window or the
    model are not fit for that."""
    description = model.description
    if isinstance(model.weights, Archive):
        raise RotqError(f"{model.path}: expected a model to calibrate but it is packed already")
    window = min(WINDOW, description["context"]) if window is None else window
    if not 2 <= window <= description["context"]:
        raise RotqError(
            f"expected a window from 2 to {description['context']} tokens, the context of the "
            f"model, but got {window}"
        )
    ahead = evaluate.ahead_of_texts(description)
    step = window - len(ahead)
    tokens = inference.checked(np.asarray(tokens, np.int64), description["vocabulary"])
    if not len(tokens):
        raise RotqError("expected at least one token to calibrate with")
    module = compiler.run("quant-import", "--calibration", model.path / model_dir.DECODER)
    function = host.cached(module)["calibrate"]
    names = [a["parameter"] for a in function.arguments if "parameter" in a]
    run = function.bind({name: model.weights.float32(name) for name in names})
    keys, values = inference.caches(description, window)
    places, kinds = moments.places(description), len(moments.READ_TOGETHER)
    layers = len(description["layers"])
    sums = [np.zeros((layers, place.size, place.size), np.float32) for place in places[:kinds]]
    read = 0
    bar = tqdm(
        total=len(tokens),
        desc="calibrate",
        unit=" tokens",
        dynamic_ncols=True,
        disable=not progress,
    )
    with bar:
        for start in range(0, len(tokens), step):
            text = np.concatenate([ahead, tokens[start : start + step]]).astype(np.int32)
            for at in range(0, len(text), inference.CHUNK):
                piece = text[at : at + inference.CHUNK]
                run(piece, at, keys, values, *sums)
            read += len(text)
            bar.update(len(text) - len(ahead))
    result = {}
    for index, place in enumerate(places):
        covariance = sums[index % kinds][index // kinds]
        covariance /= np.float32(read)
        if not np.isfinite(covariance).all():
            raise RotqError(f"{model.path}: what '{place.weights[0]}' reads is not finite")
        result[place.name] = covariance
    return result


def calibrate_file(
    model: Model,
    text: str | os.PathLike,
    *,
    most: int | None = None,
    window: int | None = None,
    progress: bool = True,
) -> int:
    """Calibrates with the first `most` tokens of a text file, and keeps the
    covariances in the model's directory. The number of tokens."""
    tokens = evaluate.tokens_of(model, evaluate.read_text(text), most)
    measured = measure(model, tokens, window=window, progress=progress)
    moments.write(model.path, measured, Path(text).name, len(tokens))
    return len(tokens)
