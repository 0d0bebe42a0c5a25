"""Makes language models of two layers with random weights, laid out as on the model hub; no network.

Run by the Python of the generation environment, which has transformers:

    .generation/bin/python tests/integration/tiny_language_models.py llama FOLDER

Their words mean nothing. They are for what surrounds words: protocol, streams, limits, grammars.
"""

from __future__ import annotations

import argparse
from pathlib import Path

CONTEXT = 32_768
VOCABULARY = 768
END = "<|endoftext|>"
TURNS = ["<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|python_tag|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] or '' }}\n{% endfor %}"
    "{% if tools %}<|tool|>\n{{ tools | tojson }}\n{% endif %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SIZES = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": CONTEXT,
    "vocab_size": VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


def save_tokenizer(folder: Path, *, chat_template: str | None) -> list[int]:
    """Trains a byte-level BPE on this file, so that any text can be written with it.

    Returns the tokens that had better come by a grammar alone: the end, marks of turns, and halves of characters, of
    which vLLM waits for the other half.
    """
    import tokenizers  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, *TURNS],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(Path(__file__).read_text("utf-8").split("\n"), trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=END, eos_token=END, unk_token=END)
    fast.model_max_length = CONTEXT
    fast.chat_template = chat_template
    fast.save_pretrained(folder)
    return [token for token in range(len(fast)) if not bpe.decode([token]).isascii() or not bpe.decode([token])]


def make(family: str, folder: Path, *, seed: int = 7) -> None:
    """Writes configuration, weights and tokenizer; the Llama has a chat template, the GPT-NeoX has none."""
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    torch.manual_seed(seed)
    if family == "llama":
        config = transformers.LlamaConfig(num_key_value_heads=2, initializer_range=0.2, **SIZES)
        model = transformers.LlamaForCausalLM(config)
    else:
        config = transformers.GPTNeoXConfig(initializer_range=0.2, **SIZES)
        model = transformers.GPTNeoXForCausalLM(config)
    unlikely = save_tokenizer(folder, chat_template=CHAT_TEMPLATE if family == "llama" else None)
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        head *= 4
        head[unlikely] = 0
    model.save_pretrained(folder)


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("family", choices=["llama", "gpt-neox"])
    words.add_argument("folder", type=Path)
    given = words.parse_args()
    make(given.family, given.folder)
