# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tokenizers: the tokenizer.json of a model directory, and how to come by one.

A Hugging Face directory has the file. A GGUF file has a vocabulary, merges or
scores, and the name of a rule that splits a text beforehand; `from_source`
puts them together with the `tokenizers` package.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import checkpoint
from .checkpoint import Checkpoint, GgufCheckpoint
from .error import RotqError

FILE = "tokenizer.json"

#: Kinds of token in a GGUF file.
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED = 1, 2, 3, 4

_LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
#: How a text is split before pairs are merged, by the name of the rule in a
#: GGUF file; as GPT-2 does where there is no expression.
_SPLITS = {
    "gpt-2": None,
    "smollm": None,
    "llama-bpe": _LLAMA3_SPLIT,
    "qwen2": _LLAMA3_SPLIT.replace(r"\p{N}{1,3}", r"\p{N}"),
}
#: What SentencePiece has for a space.
_SPACE = "\u2581"
#: What stands for bytes that are no UTF-8.
_REPLACEMENT = "\ufffd"


class Tokenizer:
    """The tokenizer of a model directory."""

    def __init__(self, path: Path):
        self.path = path
        self._tokenizer = _parse(path)

    def encode(self, text: str) -> list[int]:
        """The tokens of `text`, with those the model wants around a text.
        Special tokens are recognized by their names."""
        return self._tokenizer.encode(text).ids

    def decode(self, tokens: list[int]) -> str:
        """The text of `tokens` without special ones. Bytes that are no UTF-8
        become U+FFFD."""
        return self._tokenizer.decode(tokens, skip_special_tokens=True)

    def stream(self) -> Stream:
        """Decodes tokens as they come."""
        return Stream(self)


class Stream:
    """Text of tokens that come one by one. A character whose bytes are in
    several tokens is held back until it is whole. What `push` and `finish` give
    is together what `decode` gives for all tokens, where those are of UTF-8."""

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer
        #: The last tokens: `_context` of them are shown whole and are there for
        #: the spaces between tokens, and so are `_shown` characters of all.
        self._tokens: list[int] = []
        self._context = 0
        self._shown = 0

    def push(self, token: int) -> str:
        """The text that is certain now and was not before."""
        self._tokens.append(token)
        text = self._tokenizer.decode(self._tokens)
        whole = text.rstrip(_REPLACEMENT)
        new = whole[self._shown :]
        self._shown = max(self._shown, len(whole))
        if new and whole == text:
            del self._tokens[: self._context]
            self._context = len(self._tokens)
            self._shown = len(self._tokenizer.decode(self._tokens))
        return new

    def finish(self) -> str:
        """What is left, U+FFFD for bytes of no whole character."""
        text = self._tokenizer.decode(self._tokens)[self._shown :]
        self._tokens, self._context, self._shown = [], 0, 0
        return text


def load(model_dir: str | os.PathLike) -> Tokenizer:
    """The tokenizer of the model directory `model_dir`."""
    return Tokenizer(Path(model_dir) / FILE)


def begin(path: Path) -> int | None:
    """The token that the tokenizer.json at `path` puts ahead of a text; none
    where the file is absent."""
    if not path.exists():
        return None
    tokens = _parse(path).encode("").ids
    return tokens[0] if tokens else None


def from_source(source: str | os.PathLike | Checkpoint) -> str:
    """The text of the tokenizer.json of a Hugging Face directory or a GGUF
    file (its path, or the checkpoint `checkpoint.open` gives)."""
    weights = source if isinstance(source, Checkpoint) else checkpoint.open(source)
    if isinstance(weights, GgufCheckpoint):
        return _from_gguf(weights)
    path = weights.path / FILE
    _parse(path)
    return path.read_text(encoding="utf-8")


def gguf_begin(weights: GgufCheckpoint) -> int | None:
    """The token that starts a text, where a GGUF file wants one."""
    fields = weights.metadata("tokenizer.ggml.")
    usual = fields.get("model") == "llama" or fields.get("pre") == "llama-bpe"
    return fields.get("bos_token_id") if fields.get("add_bos_token", usual) else None


def _parse(path: Path):
    from tokenizers import Tokenizer as Parsed

    if not path.is_file():
        raise RotqError(f"{path}: no such file")
    try:
        return Parsed.from_file(str(path))
    except Exception as error:  # noqa: BLE001  (the package raises nothing narrower)
        raise RotqError(f"{path}: not a tokenizer: {error}") from None


def _from_gguf(weights: GgufCheckpoint) -> str:
    fields = weights.metadata("tokenizer.ggml.")
    where = f"{weights.path}: tokenizer"
    tokens, kinds = fields.get("tokens"), fields.get("token_type")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise RotqError(f"{where}: no tokens")
    if kinds is None:
        kinds = [_NORMAL] * len(tokens)
    if not isinstance(kinds, list) or len(kinds) != len(tokens):
        raise RotqError(f"{where}: expected a kind for each of {len(tokens)} tokens")
    model = fields.get("model")
    if model not in ("gpt2", "llama"):
        raise RotqError(f"{where}: model '{model}' is not supported, only gpt2, llama")
    try:
        build = _byte_level if model == "gpt2" else _sentence_piece
        result = build(where, fields, tokens, kinds)
        _add_special(result, tokens, kinds)
        _surround(where, result, fields, tokens, gguf_begin(weights))
    except RotqError:
        raise
    except Exception as error:  # noqa: BLE001  (the package raises nothing narrower)
        raise RotqError(f"{where}: {error}") from None
    return result.to_str()


def _byte_level(where: str, fields: Mapping, tokens: list[str], kinds: list[int]):
    """A byte-level BPE as GPT-2 has it."""
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
    from tokenizers import Tokenizer as Built

    rule = fields.get("pre")
    if rule not in _SPLITS:
        raise RotqError(
            f"{where}: splitting as '{rule}' does is not supported, only {', '.join(_SPLITS)}"
        )
    result = Built(
        models.BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[tuple(merge.split(" ")) for merge in fields.get("merges") or ()],
            ignore_merges=rule == "llama-bpe",
        )
    )
    split = _SPLITS[rule]
    steps = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split is None)]
    if split is not None:
        steps.insert(0, pre_tokenizers.Split(Regex(split), "isolated"))
    elif rule == "smollm":
        steps.insert(0, pre_tokenizers.Digits(individual_digits=True))
    result.pre_tokenizer = pre_tokenizers.Sequence(steps)
    if rule == "qwen2":
        result.normalizer = normalizers.NFC()
    result.decoder = decoders.ByteLevel()
    return result


def _sentence_piece(where: str, fields: Mapping, tokens: list[str], kinds: list[int]):
    """A BPE of SentencePiece: pairs are merged by the score of what they give,
    and what is in no piece becomes bytes."""
    from tokenizers import Tokenizer as Built
    from tokenizers import decoders, models, normalizers

    scores = fields.get("scores")
    if not isinstance(scores, list) or len(scores) != len(tokens):
        raise RotqError(f"{where}: expected a score for each of {len(tokens)} tokens")
    if fields.get("remove_extra_whitespaces"):
        raise RotqError(f"{where}: 'remove_extra_whitespaces' is not supported")
    vocabulary = {token: index for index, token in enumerate(tokens)}
    pieces = [i for i, kind in enumerate(kinds) if kind in (_NORMAL, _USER_DEFINED)]
    mergeable = {tokens[index] for index in pieces}
    merges = [
        (left, right)
        for index in sorted(pieces, key=lambda index: -scores[index])
        for left, right in _halves(tokens[index])
        if left in mergeable and right in mergeable
    ]
    unknown = next((t for t, kind in zip(tokens, kinds) if kind == _UNKNOWN), None)
    result = Built(
        models.BPE(
            vocab=vocabulary, merges=merges, unk_token=unknown, fuse_unk=True, byte_fallback=True
        )
    )
    prefix = fields.get("add_space_prefix", True)
    spaces = normalizers.Replace(" ", _SPACE)
    result.normalizer = (
        normalizers.Sequence([normalizers.Prepend(_SPACE), spaces]) if prefix else spaces
    )
    steps = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if prefix:
        steps.append(decoders.Strip(" ", 1, 0))
    result.decoder = decoders.Sequence(steps)
    return result


def _halves(piece: str) -> Iterator[tuple[str, str]]:
    return ((piece[:index], piece[index:]) for index in range(1, len(piece)))


def _add_special(result, tokens: list[str], kinds: list[int]) -> None:
    """Tokens that are recognized before a text is split."""
    from tokenizers import AddedToken

    def added(special: bool, *wanted: int):
        return [
            AddedToken(token, special=special, normalized=False)
            for token, kind in zip(tokens, kinds)
            if kind in wanted
        ]

    result.add_special_tokens(added(True, _CONTROL, _UNKNOWN))
    result.add_tokens(added(False, _USER_DEFINED))


def _surround(where: str, result, fields: Mapping, tokens: list[str], first: int | None) -> None:
    """The tokens that a text gets around it."""
    from tokenizers import processors

    last = fields.get("eos_token_id") if fields.get("add_eos_token") else None
    ends = [index for index in (first, last) if index is not None]
    for index in ends:
        if type(index) is not int or not 0 <= index < len(tokens):
            raise RotqError(f"{where}: token {index} is not in the vocabulary")
    if ends:
        result.post_processor = processors.TemplateProcessing(
            single=[
                *([] if first is None else [tokens[first]]),
                "$A",
                *([] if last is None else [tokens[last]]),
            ],
            pair=None,
            special_tokens=[(tokens[index], index) for index in ends],
        )
