# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Descriptions of decoders from the files that models are published in.
docs/models.md says what a description contains and what it computes.

An architecture is two lines here: what sets it apart (`_Family`), and what its
tensors are called where that differs from Llama's. Everything a file says that
would change the numbers and that a description cannot say is an error.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import checkpoint, tokenizer
from .checkpoint import Checkpoint, GgufCheckpoint
from .description import (
    BIASED,
    LINEARS,
    NORMS,
    VERSION,
    check,
    check_tensors,
    read_object,
    shown,
    tensors,
)
from .error import RotqError

_HF_NAMES = {
    "embedding": "model.embed_tokens.weight",
    "final_norm": "model.norm.weight",
    "head": "lm_head.weight",
    "input_norm": "model.layers.{}.input_layernorm.weight",
    "q": "model.layers.{}.self_attn.q_proj.weight",
    "k": "model.layers.{}.self_attn.k_proj.weight",
    "v": "model.layers.{}.self_attn.v_proj.weight",
    "q_norm": "model.layers.{}.self_attn.q_norm.weight",
    "k_norm": "model.layers.{}.self_attn.k_norm.weight",
    "o": "model.layers.{}.self_attn.o_proj.weight",
    "mlp_norm": "model.layers.{}.post_attention_layernorm.weight",
    "gate": "model.layers.{}.mlp.gate_proj.weight",
    "up": "model.layers.{}.mlp.up_proj.weight",
    "down": "model.layers.{}.mlp.down_proj.weight",
}
#: Gemma puts a norm where Llama's name for another one says.
_HF_GEMMA_NAMES = _HF_NAMES | {
    "post_attention_norm": "model.layers.{}.post_attention_layernorm.weight",
    "mlp_norm": "model.layers.{}.pre_feedforward_layernorm.weight",
    "post_mlp_norm": "model.layers.{}.post_feedforward_layernorm.weight",
}
_GGUF_NAMES = {
    "embedding": "token_embd.weight",
    "final_norm": "output_norm.weight",
    "head": "output.weight",
    "input_norm": "blk.{}.attn_norm.weight",
    "q": "blk.{}.attn_q.weight",
    "k": "blk.{}.attn_k.weight",
    "v": "blk.{}.attn_v.weight",
    "q_norm": "blk.{}.attn_q_norm.weight",
    "k_norm": "blk.{}.attn_k_norm.weight",
    "o": "blk.{}.attn_output.weight",
    "post_attention_norm": "blk.{}.post_attention_norm.weight",
    "mlp_norm": "blk.{}.ffn_norm.weight",
    "gate": "blk.{}.ffn_gate.weight",
    "up": "blk.{}.ffn_up.weight",
    "down": "blk.{}.ffn_down.weight",
    "post_mlp_norm": "blk.{}.post_ffw_norm.weight",
}
#: A tensor of frequencies' divisors, which `describe` applies.
_ROPE_FREQS = "rope_freqs.weight"


@dataclass(frozen=True)
class _Family:
    """What sets the decoders of an architecture apart from Llama's."""

    norms: tuple[str, ...] = ()  #: that its layers have beyond those of Llama
    biases: bool = False  #: whether q, k and v must have one
    gemma: bool = False  #: scaled embedding, 1 + weight, GELU, and a scale of its own
    tied: bool = False  #: whether the head is the embedding where config.json is silent
    #: Which layers have a window where config.json does not list them: "all",
    #: those from `max_window_layers` on ("upper"), those without a rotary
    #: embedding ("no rope"), or all but every sixth ("five of six").
    windows: str = ""
    rope_base: float = 10000.0  #: where config.json is silent
    optional_window: bool = False  #: whether `use_sliding_window` is asked
    interleaved: bool = False  #: whether GGUF files have permuted q and k


_LLAMA = _Family(interleaved=True)
_QWEN2 = _Family(biases=True, windows="upper", optional_window=True)
_QWEN3 = _Family(norms=("q_norm", "k_norm"), windows="upper", optional_window=True)
_GEMMA3 = _Family(norms=NORMS[2:], gemma=True, tied=True, windows="five of six", rope_base=1e6)
#: By `model_type` of config.json.
_HF_FAMILIES = {
    "llama": _LLAMA,
    "mistral": _Family(windows="all"),
    "qwen2": _QWEN2,
    "qwen3": _QWEN3,
    "smollm3": _Family(tied=True, windows="no rope", optional_window=True, rope_base=2e6),
    "gemma3_text": _GEMMA3,
}
#: By `general.architecture` of a GGUF file.
_GGUF_FAMILIES = {"llama": _LLAMA, "qwen2": _QWEN2, "qwen3": _QWEN3, "gemma3": _GEMMA3}

#: Keys of config.json that change what is computed in a way that a description
#: cannot say, unless they are false or absent.
_HF_UNSUPPORTED = (
    "quantization_config",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "use_bidirectional_attention",
)
_HF_ACTIVATIONS = {"silu": "silu", "gelu_pytorch_tanh": "gelu_tanh"}

#: The keys that a kind of rotary embedding has beyond its base.
_ROPE_KEYS = {
    "default": (),
    "linear": ("factor",),
    "llama3": (
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
    ),
    "yarn": (
        "factor",
        "original_max_position_embeddings",
        "attention_factor",
        "beta_fast",
        "beta_slow",
        "truncate",
    ),
}
_ROPE_COMMON_KEYS = ("rope_type", "type", "rope_theta", "partial_rotary_factor")

#: What a GGUF file says of an architecture, behind its name.
_GGUF_KEYS = (
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
)
_GGUF_GEMMA_KEYS = (
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "rope.freq_base_swa",
)
#: Its tokens that end a text, or a part of a conversation.
_GGUF_ENDS = ("eos_token_id", "eot_token_id", "eom_token_id")

#: The windows of Gemma 3: every sixth layer has none, and so has a rotary
#: embedding of a larger base.
_GEMMA_PATTERN = 6
_MAX_HEAD_SIZE = 1 << 16

_REQUIRED = object()


class _Keys:
    """The entries of a JSON object or of a GGUF file's metadata, checked as
    they are read. An entry that is null is absent."""

    def __init__(self, path: Path, entries: Mapping[str, object], prefix: str = ""):
        self.path = path
        self.entries, self._prefix = entries, prefix

    def error(self, key: str, what: str) -> RotqError:
        return RotqError(f"{self.path}: '{self._prefix}{key}': {what}")

    def get(self, key: str, default=None):
        """The entry as it is."""
        value = self.entries.get(key)
        return default if value is None else value

    def only(self, known: Iterable[str]) -> None:
        """Raises RotqError where there is an entry but those."""
        for key in self.entries:
            if key not in known and self.get(key) is not None:
                raise self.error(key, "is not supported")

    def _get(self, key: str, default, wanted: str, valid):
        value = self.get(key, _REQUIRED)
        if value is _REQUIRED:
            if default is _REQUIRED:
                raise RotqError(f"{self.path}: no '{self._prefix}{key}'")
            return default
        if not valid(value):
            raise self.error(key, f"expected {wanted} but got {shown(value)}")
        return value

    def count(self, key: str, default=_REQUIRED, limit: int = 2**31 - 1) -> int:
        """A whole number from 1 to `limit`."""

        def valid(value):
            return type(value) is int and 0 < value <= limit

        return self._get(key, default, f"a whole number from 1 to {limit}", valid)

    def number(self, key: str, default=_REQUIRED) -> float:
        """A positive number, not necessarily whole."""

        def valid(value):
            return type(value) in (int, float) and 1e-30 < value < 1e30

        return self._get(key, default, "a positive number", valid)

    def text(self, key: str, default=_REQUIRED) -> str:
        return self._get(key, default, "a string", lambda x: isinstance(x, str))

    def flag(self, key: str, default=_REQUIRED) -> bool:
        return self._get(key, default, "true or false", lambda x: isinstance(x, bool))

    def list(self, key: str, length: int, default=_REQUIRED) -> list:
        return self._get(
            key,
            default,
            f"a list of {length} entries",
            lambda x: isinstance(x, list) and len(x) == length,
        )

    def object(self, key: str, default=_REQUIRED) -> _Keys:
        value = self._get(key, default, "an object", lambda x: isinstance(x, dict))
        return value if value is default else _Keys(self.path, value, f"{key}.")

    def tokens(self, key: str, vocabulary: int) -> list[int]:
        """A token or a list of them; none where the key is absent."""

        def valid(value):
            tokens = value if isinstance(value, list) else [value]
            return all(type(token) is int and 0 <= token < vocabulary for token in tokens)

        value = self._get(key, [], f"tokens below {vocabulary}", valid)
        return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class _Decoder:
    """What both kinds of files say, on its way into a description."""

    path: Path
    architecture: str
    family: _Family
    names: Mapping[str, str]
    vocabulary: int
    hidden: int
    context: int
    heads: int
    kv_heads: int
    head_size: int
    mlp: int
    epsilon: float
    offset: float
    activation: str
    scale: float
    tied: bool
    biases: bool  #: of q, k and v
    windows: list[int | None]  #: by layer
    ropes: list[_Keys | None]  #: by layer, in the keys of `rope_parameters`
    interleaved: bool
    begin: int | None
    end: list[int]


def describe(source: str | os.PathLike | Checkpoint) -> dict:
    """The description of docs/models.md of a Hugging Face directory or of a
    GGUF file (its path, or the checkpoint `checkpoint.open` gives). Raises
    RotqError for an architecture, a setting or a tensor that a description
    cannot express, and for a tensor that is missing or has another shape than
    the settings say."""
    weights = source if isinstance(source, Checkpoint) else checkpoint.open(source)
    gguf = isinstance(weights, GgufCheckpoint)
    if not gguf and not weights.path.is_dir():
        raise RotqError(
            f"{weights.path}: expected a GGUF file, or a directory with config.json and safetensors"
        )
    decoder = _from_gguf(weights) if gguf else _from_config(weights)
    stored = set(weights)
    description = _description(decoder)
    check_tensors(weights, tensors(description), ignored=_derived(decoder, stored))
    divisors = weights.float32(_ROPE_FREQS) if _ROPE_FREQS in stored else None
    for layer, rope in zip(description["layers"], decoder.ropes):
        if rope is None:
            continue
        rotary = _rotary(decoder, rope, divisors)
        if rotary not in description["rotary"]:
            description["rotary"].append(rotary)
        layer["rotary"] = description["rotary"].index(rotary)
    check(description, decoder.path)
    return description


def _description(decoder: _Decoder) -> dict:
    """The description without its rotary embeddings."""
    names, family = decoder.names, decoder.family

    def linear(part: str, index: int) -> dict:
        weight = names[part].format(index)
        if part in BIASED and decoder.biases:
            return {"weight": weight, "bias": _bias(weight)}
        return {"weight": weight}

    layers = []
    for index, window in enumerate(decoder.windows):
        layer = {part: linear(part, index) for part in LINEARS}
        layer |= {part: names[part].format(index) for part in (*NORMS[:2], *family.norms)}
        if window is not None:
            layer["window"] = window
        layers.append(layer)
    tokens: dict = {} if decoder.begin is None else {"begin": decoder.begin}
    return {
        "version": VERSION,
        "architecture": decoder.architecture,
        "vocabulary": decoder.vocabulary,
        "hidden": decoder.hidden,
        "context": decoder.context,
        "norm": {"epsilon": decoder.epsilon, "offset": decoder.offset},
        "attention": {
            "heads": decoder.heads,
            "kv_heads": decoder.kv_heads,
            "head_size": decoder.head_size,
            "scale": decoder.scale,
        },
        "mlp": {"size": decoder.mlp, "activation": decoder.activation},
        "rotary": [],
        "embedding": {
            "weight": names["embedding"],
            "scale": math.sqrt(decoder.hidden) if family.gemma else 1.0,
        },
        "layers": layers,
        "final_norm": names["final_norm"],
        "head": {"weight": names["embedding" if decoder.tied else "head"]},
        "tokens": tokens | {"end": decoder.end},
    }


def _bias(weight: str) -> str:
    return weight.removesuffix(".weight") + ".bias"


def _derived(decoder: _Decoder, stored: set[str]) -> set[str]:
    """The tensors that hold nothing of their own."""
    result = {name for name in stored if name.endswith(".rotary_emb.inv_freq")}
    if decoder.interleaved:
        result.add(_ROPE_FREQS)
    if decoder.tied:
        result.add(decoder.names["head"])
    return result


def _family(path: Path, families: Mapping[str, _Family], architecture: str) -> _Family:
    if architecture not in families:
        raise RotqError(
            f"{path}: architecture '{architecture}' is not supported, only {', '.join(families)}"
        )
    return families[architecture]


def _from_config(weights: Checkpoint) -> _Decoder:
    """What the config.json of a Hugging Face directory says."""
    path = weights.path / "config.json"
    keys = _Keys(path, read_object(path))
    architecture = keys.text("model_type")
    family = _family(path, _HF_FAMILIES, architecture)
    for key in _HF_UNSUPPORTED:
        if keys.get(key, False) is not False:
            raise keys.error(key, "is not supported")
    activation = keys.text("hidden_activation" if family.gemma else "hidden_act")
    if activation not in _HF_ACTIVATIONS:
        raise RotqError(f"{path}: activation '{activation}' is not supported")
    hidden, heads = keys.count("hidden_size"), keys.count("num_attention_heads")
    head_size = keys.count("head_dim", max(hidden // heads, 1), limit=_MAX_HEAD_SIZE)
    windows = _hf_windows(keys, family, keys.count("num_hidden_layers", limit=len(weights.names())))
    vocabulary = keys.count("vocab_size")
    end = keys.tokens("eos_token_id", vocabulary)
    generation = weights.path / "generation_config.json"
    if generation.exists():
        more = _Keys(generation, read_object(generation))
        end = end + more.tokens("eos_token_id", vocabulary)
    return _Decoder(
        path=path,
        architecture=architecture,
        family=family,
        names=_HF_GEMMA_NAMES if family.gemma else _HF_NAMES,
        vocabulary=vocabulary,
        hidden=hidden,
        context=keys.count("max_position_embeddings"),
        heads=heads,
        kv_heads=keys.count("num_key_value_heads", heads),
        head_size=head_size,
        mlp=keys.count("intermediate_size"),
        epsilon=keys.number("rms_norm_eps"),
        offset=1.0 if family.gemma else 0.0,
        activation=_HF_ACTIVATIONS[activation],
        scale=(keys.number("query_pre_attn_scalar") if family.gemma else head_size) ** -0.5,
        tied=keys.flag("tie_word_embeddings", family.tied),
        biases=family.biases or keys.flag("attention_bias", False),
        windows=windows,
        ropes=_hf_ropes(keys, family, windows),
        interleaved=False,
        begin=tokenizer.begin(weights.path / tokenizer.FILE),
        end=sorted(set(end)),
    )


def _hf_windows(keys: _Keys, family: _Family, layers: int) -> list[int | None]:
    """The window of every layer."""
    used = not family.optional_window or keys.flag("use_sliding_window", False)
    window = None
    if family.windows and used:
        window = keys.count("sliding_window", *([] if family.gemma else [None]))
    if window is None or family.windows == "all":
        return [window] * layers
    if keys.get("layer_types") is not None:
        types = keys.list("layer_types", layers)
        for kind in types:
            if kind not in ("full_attention", "sliding_attention"):
                raise keys.error("layer_types", f"'{kind}' is not supported")
        has = [kind == "sliding_attention" for kind in types]
    elif family.windows == "upper":
        first = keys.count("max_window_layers")
        has = [index >= first for index in range(layers)]
    elif family.windows == "no rope":
        has = [not turned for turned in _hf_turned(keys, layers)]
    else:
        pattern = keys.count("sliding_window_pattern", _GEMMA_PATTERN)
        has = [(index + 1) % pattern != 0 for index in range(layers)]
    return [window if windowed else None for windowed in has]


def _hf_turned(keys: _Keys, layers: int) -> list[bool]:
    """Which layers of SmolLM3 have a rotary embedding."""
    interval = keys.count("no_rope_layer_interval", 4)
    usual = [(index + 1) % interval != 0 for index in range(layers)]
    return [bool(turned) for turned in keys.list("no_rope_layers", layers, usual)]


def _hf_ropes(keys: _Keys, family: _Family, windows: list[int | None]) -> list[_Keys | None]:
    """What is said of the rotary embedding of every layer, which older files
    spread over several keys."""
    old = {
        "rope_theta": keys.get("rope_theta", family.rope_base),
        "partial_rotary_factor": keys.get("partial_rotary_factor"),
    }
    scaling = keys.object("rope_scaling", _Keys(keys.path, {}))
    rope = keys.object("rope_parameters", _Keys(keys.path, old | dict(scaling.entries)))
    if family.gemma:
        local = _Keys(keys.path, {"rope_theta": keys.get("rope_local_base_freq", 10000.0)})
        full = rope.object("full_attention", rope)
        local = rope.object("sliding_attention", local)
        return [local if window else full for window in windows]
    if family.windows == "no rope":
        return [rope if turned else None for turned in _hf_turned(keys, len(windows))]
    return [rope] * len(windows)


def _from_gguf(weights: GgufCheckpoint) -> _Decoder:
    """What the metadata of a GGUF file says."""
    path, stored = weights.path, set(weights)
    architecture = _Keys(path, weights.metadata("general."), "general.").text("architecture")
    family = _family(path, _GGUF_FAMILIES, architecture)
    keys = _Keys(path, weights.metadata(f"{architecture}."), f"{architecture}.")
    keys.only(_GGUF_KEYS + (_GGUF_GEMMA_KEYS if family.gemma else ()))
    hidden, heads = keys.count("embedding_length"), keys.count("attention.head_count")
    head_size = keys.count("attention.key_length", max(hidden // heads, 1), limit=_MAX_HEAD_SIZE)
    for key in ("attention.value_length", "rope.dimension_count"):
        if keys.count(key, head_size) != head_size:
            raise keys.error(key, f"expected {head_size}, the size of a head")
    layers = keys.count("block_count", limit=len(weights.names()))
    windows = _gguf_windows(keys, layers)
    embedding = _GGUF_NAMES["embedding"]
    rows = weights.shape(embedding)[0] if embedding in stored else 1  # which is reported later
    vocabulary = keys.count("vocab_size", rows)
    special = _Keys(path, weights.metadata("tokenizer.ggml."), "tokenizer.ggml.")
    # llama.cpp knows the largest of the family by its layers.
    scalar = hidden / heads if family.gemma and layers == 62 else head_size
    return _Decoder(
        path=path,
        architecture=architecture,
        family=family,
        names=_GGUF_NAMES,
        vocabulary=vocabulary,
        hidden=hidden,
        context=keys.count("context_length"),
        heads=heads,
        kv_heads=keys.count("attention.head_count_kv", heads),
        head_size=head_size,
        mlp=keys.count("feed_forward_length"),
        epsilon=keys.number("attention.layer_norm_rms_epsilon"),
        offset=0.0,  # already in the weights
        activation="gelu_tanh" if family.gemma else "silu",
        scale=scalar**-0.5,
        tied=_GGUF_NAMES["head"] not in stored,
        biases=family.biases or _bias(_GGUF_NAMES["q"].format(0)) in stored,
        windows=windows,
        ropes=_gguf_ropes(keys, family, windows),
        interleaved=family.interleaved,
        begin=tokenizer.gguf_begin(weights),
        end=sorted({token for key in _GGUF_ENDS for token in special.tokens(key, vocabulary)}),
    )


def _gguf_windows(keys: _Keys, layers: int) -> list[int | None]:
    window = keys.count("attention.sliding_window", None)
    pattern = keys.get("attention.sliding_window_pattern", _GEMMA_PATTERN)
    if isinstance(pattern, list):
        has = [bool(windowed) for windowed in keys.list("attention.sliding_window_pattern", layers)]
    else:
        pattern = keys.count("attention.sliding_window_pattern", _GEMMA_PATTERN)
        has = [(index + 1) % pattern != 0 for index in range(layers)]
    return [window if windowed else None for windowed in has]


def _gguf_ropes(keys: _Keys, family: _Family, windows: list[int | None]) -> list[_Keys | None]:
    rope = {"rope_theta": keys.get("rope.freq_base", 10000.0)}
    kind = keys.text("rope.scaling.type", "none")
    if kind != "none":
        rope |= {"rope_type": kind, "factor": keys.get("rope.scaling.factor")}
    if kind == "yarn":
        original = keys.get("rope.scaling.original_context_length")
        rope["original_max_position_embeddings"] = original
    full = _Keys(keys.path, rope)
    local = _Keys(keys.path, {"rope_theta": keys.get("rope.freq_base_swa", 10000.0)})
    return [local if family.gemma and window else full for window in windows]


def _rotary(decoder: _Decoder, rope: _Keys, divisors: np.ndarray | None) -> dict:
    """A rotary embedding of a description: transformers' formulas in f32.
    `divisors` are those of a GGUF file that has them."""
    kind = rope.text("rope_type", rope.text("type", "default"))
    if kind not in _ROPE_KEYS:
        raise RotqError(f"{rope.path}: rope type '{kind}' is not supported")
    rope.only(_ROPE_KEYS[kind] + _ROPE_COMMON_KEYS)
    if rope.get("partial_rotary_factor", 1.0) != 1.0:
        raise rope.error("partial_rotary_factor", "is not supported")
    size = decoder.head_size
    if size % 2:
        raise RotqError(f"{rope.path}: expected an even size of heads but got {size}")
    base = np.float32(rope.number("rope_theta"))
    with np.errstate(all="ignore"):  # what comes of it is checked
        powers = base ** (np.arange(0, size, 2, dtype=np.float32) / np.float32(size))
        frequencies, factor = 1 / powers, 1.0
        if kind == "linear":
            frequencies = frequencies / np.float32(rope.number("factor"))
        elif kind == "llama3":
            frequencies = _llama3(rope, frequencies)
        elif kind == "yarn":
            frequencies, factor = _yarn(rope, powers, decoder.context)
        if divisors is not None:
            if divisors.shape != frequencies.shape:
                raise RotqError(
                    f"{decoder.path}: tensor '{_ROPE_FREQS}': expected shape "
                    f"{frequencies.shape} but got {divisors.shape}"
                )
            frequencies = frequencies / divisors
    if not (np.isfinite(frequencies).all() and math.isfinite(factor)):
        raise RotqError(f"{rope.path}: the rotary embedding's frequencies are not finite")
    return {
        "interleaved": decoder.interleaved,
        "frequencies": [float(frequency) for frequency in frequencies],
        "factor": factor,
    }


def _llama3(rope: _Keys, frequencies: np.ndarray) -> np.ndarray:
    """Low frequencies divided by a factor, and a ramp between."""
    factor = rope.number("factor")
    low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
    context = rope.count("original_max_position_embeddings")
    lengths = 2 * math.pi / frequencies
    ramp = (context / lengths - low) / np.float32(high - low)
    mixed = (1 - ramp) * frequencies / factor + ramp * frequencies
    divided = np.where(lengths > context / low, frequencies / factor, mixed)
    return np.where(lengths < context / high, frequencies, divided)


def _yarn(rope: _Keys, powers: np.ndarray, context: int) -> tuple[np.ndarray, float]:
    """YaRN's frequencies from the default ones' reciprocals, and its factor."""
    factor = rope.number("factor")
    original = rope.count("original_max_position_embeddings", context)
    scaled = rope.number("attention_factor", 0.1 * math.log(factor) + 1.0 if factor > 1 else 1.0)
    count = len(powers)
    base = rope.number("rope_theta")

    def place(turns: float) -> float:
        return count * math.log(original / (turns * 2 * math.pi)) / math.log(base)

    if base == 1:
        raise rope.error("rope_theta", "expected another number than 1")
    first, last = place(rope.number("beta_fast", 32)), place(rope.number("beta_slow", 1))
    if rope.flag("truncate", True):
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, 2 * count - 1)
    if first == last:
        last += 0.001
    ramp = np.clip((np.arange(count, dtype=np.float32) - first) / (last - first), 0, 1)
    kept = 1 - ramp
    return (1 / (factor * powers)) * (1 - kept) + (1 / powers) * kept, float(scaled)
