# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a description as docs/models.md says, in numpy: what tests compare a
description, and code compiled from it, with."""

import numpy as np


class ReferenceDecoder:
    """`description` with `weights`, anything that has `float32(name)`. What it
    computes with is `dtype`; angles are f32 in any case."""

    def __init__(self, description, weights, dtype=np.float32):
        self.description = description
        self.dtype = dtype
        self._weights = weights
        self._read = {}

    def _weight(self, name):
        if name not in self._read:
            self._read[name] = self._weights.float32(name).astype(self.dtype, copy=False)
        return self._read[name]

    def logits(self, tokens):
        """The logits of all T positions, T x vocabulary, of T tokens."""
        embedding = self.description["embedding"]
        x = self._weight(embedding["weight"])[np.asarray(tokens)] * self.dtype(embedding["scale"])
        for layer in self.description["layers"]:
            x = x + self._attention(layer, self._norm(x, layer["input_norm"]))
            x = x + self._mlp(layer, self._norm(x, layer["mlp_norm"]))
        return self._linear(self._norm(x, self.description["final_norm"]), self.description["head"])

    def greedy(self, tokens, steps):
        """`steps` tokens that continue `tokens`, each the best one."""
        tokens = list(tokens)
        for _ in range(steps):
            tokens.append(int(self.logits(tokens)[-1].argmax()))
        return tokens[len(tokens) - steps :]

    def _norm(self, x, name):
        norm = self.description["norm"]
        mean = np.mean(x * x, axis=-1, keepdims=True, dtype=self.dtype)
        scaled = x / np.sqrt(mean + self.dtype(norm["epsilon"]))
        return scaled * (self._weight(name) + self.dtype(norm["offset"]))

    def _linear(self, x, linear):
        y = x @ self._weight(linear["weight"]).T
        return y + self._weight(linear["bias"]) if "bias" in linear else y

    def _heads(self, layer, part, x):
        """A product cut into heads, heads x T x head_size."""
        y = self._linear(x, layer[part])
        y = y.reshape(len(x), -1, self.description["attention"]["head_size"]).swapaxes(0, 1)
        if f"{part}_norm" in layer:
            y = self._norm(y, layer[f"{part}_norm"])
        if part != "v" and "rotary" in layer:
            y = self._rotate(y, self.description["rotary"][layer["rotary"]])
        return y

    def _rotate(self, y, rotary):
        frequencies = np.array(rotary["frequencies"], np.float32)
        angles = np.arange(y.shape[1], dtype=np.float32)[:, None] * frequencies
        cosine = np.cos(angles).astype(self.dtype) * self.dtype(rotary["factor"])
        sine = np.sin(angles).astype(self.dtype) * self.dtype(rotary["factor"])
        half = len(frequencies)
        first, second = np.s_[..., :half], np.s_[..., half:]
        if rotary["interleaved"]:
            first, second = np.s_[..., 0::2], np.s_[..., 1::2]
        result = np.empty_like(y)
        result[first] = y[first] * cosine - y[second] * sine
        result[second] = y[second] * cosine + y[first] * sine
        return result

    def _attention(self, layer, h):
        attention = self.description["attention"]
        q, k, v = (self._heads(layer, part, h) for part in "qkv")
        group = attention["heads"] // attention["kv_heads"]
        k, v = np.repeat(k, group, axis=0), np.repeat(v, group, axis=0)
        positions = np.arange(len(h))
        distance = positions[:, None] - positions
        seen = (distance >= 0) & (distance < layer.get("window", len(h)))
        scores = q @ k.swapaxes(1, 2) * self.dtype(attention["scale"])
        scores = np.where(seen, scores, -np.inf)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        a = shares / shares.sum(axis=-1, keepdims=True) @ v
        y = self._linear(a.swapaxes(0, 1).reshape(len(h), -1), layer["o"])
        return self._norm(y, layer["post_attention_norm"]) if "post_attention_norm" in layer else y

    def _mlp(self, layer, h):
        gate = self._linear(h, layer["gate"])
        if self.description["mlp"]["activation"] == "silu":
            gate = gate / (1 + np.exp(-gate))
        else:
            inner = np.sqrt(self.dtype(2 / np.pi)) * (gate + self.dtype(0.044715) * gate**3)
            gate = self.dtype(0.5) * gate * (1 + np.tanh(inner))
        y = self._linear(gate * self._linear(h, layer["up"]), layer["down"])
        return self._norm(y, layer["post_mlp_norm"]) if "post_mlp_norm" in layer else y
