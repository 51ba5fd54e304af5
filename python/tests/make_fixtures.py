# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes python/tests/fixtures: tiny models with random weights, and what
transformers computes with them and with SmolLM2-135M. Run by hand, in an
environment of its own:

    pip install torch==2.15.0 transformers==5.24.0 accelerate gguf==0.19.0
    python python/tests/make_fixtures.py SMOLLM2.gguf

A `reference.npz` holds, logits in f32 as transformers computes them:

    tokens, lengths     the prompts (N x longest, padded with 0) and their lengths
    last                of each prompt, the logits at its last position
    every, every_of     of the prompts `every_of`, the logits at all positions,
                        one prompt after another
    greedy, greedy_of   of the prompts `greedy_of`, 64 tokens of greedy decoding

and for SmolLM2 also `texts`, the prompts as they are before tokenization, and
`entries`, the tokens that the logits are of, with `best`, the greatest of all.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers

FOLDER = Path(__file__).parent / "fixtures"
BYTES, VOCABULARY = 256, 288
BEGIN, END = 256, 257
PROMPTS, LONGEST, CONTINUED, STEPS = 64, 48, 10, 64
#: The least distance from the best logit to the next in a greedy continuation.
MARGIN = 0.02

COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": BEGIN,
    "eos_token_id": END,
    "pad_token_id": None,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
MODELS = {
    "llama3": transformers.LlamaConfig(
        **COMMON, num_hidden_layers=3, rope_parameters=LLAMA3, rms_norm_eps=1e-5
    ),
    "qwen2": transformers.Qwen2Config(
        **COMMON,
        num_hidden_layers=2,
        tie_word_embeddings=True,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 10000.0,
            "factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ),
    "qwen3": transformers.Qwen3Config(
        **COMMON,
        num_hidden_layers=2,
        head_dim=32,
        rope_parameters={"rope_type": "linear", "rope_theta": 1e6, "factor": 2.0},
    ),
    "mistral": transformers.MistralConfig(
        **COMMON, num_hidden_layers=2, head_dim=32, sliding_window=12
    ),
    "gemma3": transformers.Gemma3TextConfig(
        **COMMON,
        num_hidden_layers=4,
        head_dim=32,
        query_pre_attn_scalar=24,
        sliding_window=12,
        layer_types=["sliding_attention", "full_attention"] * 2,
    ),
    "smollm3": transformers.SmolLM3Config(
        **COMMON, num_hidden_layers=2, no_rope_layers=[1, 0], tie_word_embeddings=True
    ),
}

TEXTS = (
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "def fibonacci(n):\n    if n < 2:\n        return n\n",
    "Water boils at 100 degrees Celsius, which is",
    "1 2 3 4 5 6 7 8 9",
    "I",
    "To make bread you need flour, water, salt and",
    "<|im_start|>user\nWhat is the largest planet?<|im_end|>\n<|im_start|>assistant\n",
    "The quick brown fox jumps over the lazy dog. The quick brown fox",
    "E = mc^2 means that energy",
    "Café, naïve, Zürich and smörgåsbord are words with accents.",
    "Hello, world!",
    "A list of colours:\n- red\n- green\n-",
    "In 1969, astronauts landed on the",
    "My favourite season is autumn because",
    "日本の首都は",
    "The opposite of hot is",
    "She opened the door and saw",
    "import numpy as np\n\nx = np.",
    "Photosynthesis turns light into",
    "Dear Sir or Madam,\n\nI am writing to",
    "3.14159 is the beginning of",
    "Why did the chicken cross the road?",
    "The mitochondria are",
    "If it rains tomorrow, we will",
    "Q: How many legs does a spider have?\nA:",
    "🙂🙃 are emoji, and so is",
    "Rivers flow from mountains to",
    "   leading spaces, and\ttabs",
    "He said: \"I'll be there at 7:30, won't I?\"",
    "Monday, Tuesday, Wednesday,",
    "An algorithm that sorts a list of n numbers by comparing pairs needs at least",
    "Der schnelle braune Fuchs springt über",
    "The sum of two and two is",
    "It was the best of times,",
    "SELECT name FROM users WHERE",
    "The moon is about 384400 kilometres away, so that light takes",
    "Chess is played on a board of",
    "Good morning",
    "The first president of the United States was",
    "<html>\n<body>\n<h1>",
    "A triangle whose sides are 3, 4 and 5 is",
    "Music is",
    "Shakespeare wrote plays such as Hamlet,",
    "Gold is a chemical element with the symbol",
    "They walked for three days through the forest until",
    "x = 7\ny = 5\nprint(x * y)\n# prints",
    "Bees make",
    "The square root of 144 is",
    "In the beginning",
    "Please translate to French: cheese, bread, wine.",
    "Cats are small, furry animals that people keep as",
    "The train to Berlin leaves at",
    "Once the program has read every line of the file, it closes the file and",
    "North, east, south and",
    "Il était une fois",
    "A good teacher",
    "While the old clockmaker slept, the clocks of the workshop began to talk to each other about",
    "To be, or not to be, that is",
    "Oxygen, hydrogen and nitrogen are",
    "the the the the the the",
    "\n\n",
    "Four score and seven years ago our fathers brought forth on this continent, a new nation,",
    "The answer is 42. The question is",
)


def randomize(model: torch.nn.Module, seed: int) -> None:
    """Weights that let every part of the model matter, exact in bfloat16."""
    random = torch.Generator().manual_seed(seed)
    gemma = "Gemma" in type(model).__name__
    for name, weight in model.named_parameters():
        values = torch.randn(weight.shape, generator=random)
        if gemma and name == "model.norm.weight":
            values = 4.0 + values
        elif "norm" in name:
            values = (0.0 if gemma else 1.0) + 0.2 * values
        elif name.endswith("bias"):
            values = 0.5 * values
        elif "embed_tokens" in name or "lm_head" in name:
            # Gemma scales it on the way in, and a token must not only predict itself.
            values = (0.1 if gemma else 0.5) * values
        else:
            values = 2.0 * values / weight.shape[1] ** 0.5
        weight.data = values.to(torch.bfloat16).float()


def logits(model: torch.nn.Module, tokens: list[int]) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.tensor([tokens])).logits[0].numpy()


def greedy(model: torch.nn.Module, prompt: list[int]) -> tuple[list[int], float]:
    """A continuation, and its smallest distance from best to second best."""
    tokens, margin = list(prompt), np.inf
    with torch.inference_mode():
        output = model(torch.tensor([tokens]), use_cache=True)
        for _ in range(STEPS):
            last = output.logits[0, -1]
            best = torch.topk(last, 2).values
            margin = min(margin, float(best[0] - best[1]))
            tokens.append(int(last.argmax()))
            output = model(
                torch.tensor([tokens[-1:]]), past_key_values=output.past_key_values, use_cache=True
            )
    return tokens[len(prompt) :], margin


def reference(model: torch.nn.Module, prompts: list[list[int]], entries=None) -> dict:
    lengths = np.array([len(prompt) for prompt in prompts], np.int32)
    tokens = np.zeros((len(prompts), lengths.max()), np.int32)
    for row, prompt in zip(tokens, prompts):
        row[: len(prompt)] = prompt
    every_of = [0, 6]
    rows = [logits(model, prompt) for prompt in prompts]
    last = np.stack([row[-1] for row in rows])
    continued = {}
    for index, prompt in enumerate(prompts):
        continuation, margin = greedy(model, prompt)
        if margin > MARGIN:
            continued[index] = continuation
        if len(continued) == CONTINUED:
            break
    assert len(continued) == CONTINUED, f"only {len(continued)} continuations without ties"
    result = {
        "tokens": tokens,
        "lengths": lengths,
        "greedy_of": np.array(list(continued), np.int32),
        "greedy": np.array(list(continued.values()), np.int32),
        "best": last.argmax(axis=1).astype(np.int32),
    }
    if entries is None:
        every = np.concatenate([rows[index] for index in every_of])
        return result | {"last": last, "every_of": np.array(every_of, np.int32), "every": every}
    return result | {"last": last[:, entries], "entries": entries}


def make_tiny(name: str, seed: int) -> None:
    folder = FOLDER / name
    model = transformers.AutoModelForCausalLM.from_config(MODELS[name], dtype=torch.float32)
    model.eval()
    randomize(model, seed)
    random = np.random.default_rng(seed)
    # All lengths occur, long prompts early so that they are continued too.
    lengths = [LONGEST - 5 * index for index in range(10)]
    lengths += [1 + index % LONGEST for index in range(PROMPTS - len(lengths))]
    prompts = [random.integers(BYTES, size=length).tolist() for length in lengths]
    result = reference(model, prompts)
    model.to(torch.bfloat16).save_pretrained(folder)
    np.savez_compressed(folder / "reference.npz", **result)
    (folder / "tokenizer.json").write_text(byte_tokenizer())
    distinct = len(np.unique(result["greedy"]))
    print(f"{name}: logits up to {np.abs(result['last']).max():.1f}, {distinct} greedy tokens")


def byte_tokenizer() -> str:
    """A token for every byte, and two special ones."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: index for index, character in enumerate(alphabet)}
    result = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    result.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    result.decoder = tokenizers.decoders.ByteLevel()
    result.add_special_tokens(["<begin>", "<end>"])
    result.post_processor = tokenizers.processors.TemplateProcessing(
        single="<begin> $A", special_tokens=[("<begin>", BEGIN)]
    )
    return result.to_str()


def make_smollm2(path: Path) -> None:
    arguments = {"gguf_file": path.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **arguments)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, dtype=torch.float32, **arguments
    )
    model.eval()
    assert len(TEXTS) == PROMPTS
    prompts = [tokenizer(text).input_ids for text in TEXTS]
    entries = np.sort(np.random.default_rng(0).choice(model.config.vocab_size, 512, replace=False))
    result = reference(model, prompts, entries.astype(np.int32))
    folder = FOLDER / "smollm2"
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / "reference.npz", texts=np.array(TEXTS), **result)
    for continuation in result["greedy"][:3]:
        print(repr(tokenizer.decode(continuation)))


if __name__ == "__main__":
    torch.manual_seed(0)
    FOLDER.mkdir(exist_ok=True)
    for seed, name in enumerate(MODELS):
        make_tiny(name, seed)
    make_smollm2(Path(sys.argv[1]))
