"""Checkpoints of a few layers with random weights, laid out as on the model hub; no network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

WEIGHTS = "model.safetensors"

SPECIAL = {
    "bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    "mpnet": ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "[UNK]"],
}


def make_checkpoint(folder: Path, family: str, vocabulary: Path, *, pooling: str = "mean", seed: int = 7) -> Path:
    """A sentence-transformers model of `family` in `folder`: 64 numbers a vector, two layers, 128 tokens.

    Args:
        folder: Made if missing.
        family: `bert` or `mpnet`.
        vocabulary: `vocab.txt` of a BERT; its words are taken, 4,000 of them.
        pooling: `mean` or `cls`, as its `1_Pooling` says.
        seed: Of the weights.
    """
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    words = [word for word in vocabulary.read_text("utf-8").split("\n") if word and not word.startswith("[")]
    names = {word: i for i, word in enumerate([*SPECIAL[family], *words[:4_000]])}
    torch.manual_seed(seed)
    sizes = {
        "vocab_size": len(names),
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "initializer_range": 0.2,
    }
    if family == "bert":
        transformers.BertTokenizerFast(vocab=names).save_pretrained(folder)
        config = transformers.BertConfig(max_position_embeddings=128, **sizes)
        transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    else:
        transformers.MPNetTokenizerFast(vocab=names).save_pretrained(folder)
        mpnet = transformers.MPNetConfig(max_position_embeddings=130, pad_token_id=1, layer_norm_eps=1e-5, **sizes)
        transformers.MPNetModel(mpnet, add_pooling_layer=False).save_pretrained(folder)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 128, "do_lower_case": False}))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    chosen = {"word_embedding_dimension": 64, f"pooling_mode_{pooling}_token{'s' if pooling == 'mean' else ''}": True}
    unchosen = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({**unchosen, **chosen}))
    (folder / "2_Normalize").mkdir(exist_ok=True)
    return folder


def make_bert(folder: Path, tokenizer: Path, *, seed: int = 7) -> Path:
    """A BERT of one layer with 32 numbers a vector that reads 128 tokens, written without torch.

    Args:
        folder: Made if missing.
        tokenizer: `tokenizer.json` of a BERT, taken as it is.
        seed: Of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(seed)
    width, wide, layer = 32, 64, "encoder.layer.0."
    norms = ["embeddings.LayerNorm", f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]
    linear = {f"{layer}attention.self.{part}": (width, width) for part in ("query", "key", "value")}
    linear |= {f"{layer}attention.output.dense": (width, width)}
    linear |= {f"{layer}intermediate.dense": (wide, width), f"{layer}output.dense": (width, wide)}
    shapes = {"word_embeddings": 30_522, "position_embeddings": 128, "token_type_embeddings": 2}
    weights = {f"embeddings.{name}.weight": drawn.standard_normal((rows, width)) for name, rows in shapes.items()}
    weights |= {f"{name}.weight": drawn.standard_normal(shape) * 0.2 for name, shape in linear.items()}
    weights |= {f"{name}.bias": np.zeros(shape[0]) for name, shape in linear.items()}
    weights |= {f"{name}.weight": np.ones(width) for name in norms} | {
        f"{name}.bias": np.zeros(width) for name in norms
    }
    save_file({name: np.asarray(value, dtype=np.float16) for name, value in weights.items()}, folder / WEIGHTS)
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": width, "max_position_embeddings": 128}
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "layer_norm_eps": 1e-12, **sizes}))
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    return folder
