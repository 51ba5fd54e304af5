# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""RotQ: rotated, codebook-quantized weights for language models.

formats     the presets and their layouts
codec       weights and activations, encoded and decoded on the host
checkpoint  GGUF and safetensors models, read tensor by tensor
archive     packed models
quantize    from the one to the other
compiler    MLIR to bundles of GPU kernels
runtime     bundles on a GPU, from numpy or torch
"""

from .error import RotqError

__all__ = ["RotqError"]
