"""Tiny models with random weights, saved as any model is: what they compute is real, not sensible.

Each function saves one model and its tokenizer into `folder`, which it makes, and returns it.
"""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers

WORDS = [
    *("the", "a", "cat", "dog", "sat", "on", "mat", "in", "paris", "capital", "of", "france", "is"),
    *("what", "where", "who", "likes", "fish", "blue", "sky", "number", "one", "two", "three"),
    *("four", "five", "six", "seven", "eight", "nine", "ten", "good", "bad", "very", "not", "i"),
    *("you", "we", "they"),
]
"""What the tokenizers know as whole words; others are split into letters."""

WORDPIECE_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MOST_TOKENS = 64
"""What the tiny encoders read at once, special tokens included."""

_SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def bert(folder: Path, model_class: Any, *, max_tokens: int = MOST_TOKENS, **config: Any) -> Path:
    """A BERT; `model_class` is an Auto class of transformers, `config` goes to `BertConfig`."""
    tokenizer = _wordpiece(max_tokens)
    made = transformers.BertConfig(
        vocab_size=len(tokenizer),
        intermediate_size=64,
        max_position_embeddings=max_tokens,
        **{**_SIZES, **config},
    )
    return _save(folder, model_class, made, tokenizer)


def roberta(folder: Path) -> Path:
    """A masked language model whose mask token is `<mask>`."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(
            {word: at for at, word in enumerate([*special, *WORDS])}, unk_token="<unk>"
        )
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        mask_token="<mask>",
    )
    made = transformers.RobertaConfig(
        vocab_size=len(tokenizer), intermediate_size=64, max_position_embeddings=66, **_SIZES
    )
    return _save(folder, transformers.AutoModelForMaskedLM, made, tokenizer)


def t5(folder: Path, **config: Any) -> Path:
    """A T5; its tokenizer says that it reads 64 tokens, its positions are relative."""
    tokenizer = _seq2seq_tokenizer(MOST_TOKENS, begin="")
    made = transformers.T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_factor=4.0,  # else all tokens are about as probable
        **{
            "tie_word_embeddings": False,
            "decoder_start_token_id": tokenizer.pad_token_id,
            **config,
        },
    )
    return _save(folder, transformers.AutoModelForSeq2SeqLM, made, tokenizer)


def bart(folder: Path, *, max_tokens: int = MOST_TOKENS, **config: Any) -> Path:
    """A BART."""
    tokenizer = _seq2seq_tokenizer(max_tokens, begin="<s>")
    made = transformers.BartConfig(
        max_position_embeddings=max_tokens, **{**_encoder_decoder(tokenizer), **config}
    )
    return _save(folder, transformers.AutoModelForSeq2SeqLM, made, tokenizer)


def led(folder: Path, *, max_tokens: int = 128, **config: Any) -> Path:
    """An LED, which attends globally to the tokens that it is told to; 128 tokens at once."""
    tokenizer = _seq2seq_tokenizer(max_tokens, begin="<s>")
    made = transformers.LEDConfig(
        max_encoder_position_embeddings=max_tokens,
        max_decoder_position_embeddings=MOST_TOKENS,
        attention_window=16,
        **{**_encoder_decoder(tokenizer), **config},
    )
    return _save(folder, transformers.AutoModelForSeq2SeqLM, made, tokenizer)


def _encoder_decoder(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "decoder_start_token_id": tokenizer.eos_token_id,
        "forced_eos_token_id": tokenizer.eos_token_id,
        "tie_word_embeddings": False,
        "init_std": 0.5,  # else all tokens are about as probable
    }


def _wordpiece(max_tokens: int) -> Any:
    signs = [*string.ascii_lowercase, *string.digits, *".,;:!?'\"()-"]
    vocabulary = [*WORDPIECE_SPECIAL, *WORDS, *signs, *(f"##{sign}" for sign in signs)]
    unique = {word: at for at, word in enumerate(dict.fromkeys(vocabulary))}
    return transformers.BertTokenizer(vocab=unique, do_lower_case=True, model_max_length=max_tokens)


def _seq2seq_tokenizer(max_tokens: int, *, begin: str) -> Any:
    """Whole words with their space, or single letters; `</s>` ends a text, `begin` begins it."""
    special = [*([begin] if begin else []), "<pad>", "</s>", "<unk>"]
    signs = [*string.ascii_letters, *string.digits, *".,;:!?'\"()-", "▁"]
    pieces = [*special, *(f"▁{word}" for word in WORDS), *signs]
    scores = [(piece, -1.0 if len(piece) > 2 else -10.0) for piece in dict.fromkeys(pieces)]
    backend = tokenizers.Tokenizer(tokenizers.models.Unigram(scores, special.index("<unk>"), False))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    backend.decoder = tokenizers.decoders.Metaspace()
    ends = [("</s>", special.index("</s>")), *([(begin, 0)] if begin else [])]
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{begin} $A </s>".strip(),
        pair=f"{begin} $A </s> $B </s>".strip(),
        special_tokens=ends,
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=max_tokens,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        bos_token=begin or None,
    )


def _save(folder: Path, model_class: Any, config: Any, tokenizer: Any) -> Path:
    torch.manual_seed(0)  # the same weights each time, so that a failing test fails again
    model_class.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def gpt2(folder: Path, model_class: Any, **config: Any) -> Path:
    """A GPT-2: no padding token, no special tokens around a text, read from left to right."""
    letters = {sign: at for at, sign in enumerate(_alphabet())}
    backend = tokenizers.Tokenizer(tokenizers.models.BPE({**letters, END: len(letters)}, []))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=END, bos_token=END, model_max_length=MOST_TOKENS
    )
    made = transformers.GPT2Config(
        **{
            "vocab_size": len(tokenizer),
            "n_positions": MOST_TOKENS,
            "n_embd": 32,
            "n_layer": 2,
            "n_head": 2,
            "bos_token_id": tokenizer.eos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "initializer_range": 0.5,
            **config,
        }
    )
    return _save(folder, model_class, made, tokenizer)


END = "<|endoftext|>"


def _alphabet() -> list[str]:
    return sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())


def sentence_model(folder: Path, pooling: dict[str, Any], *later: Any, **said: Any) -> Path:
    """An encoder in a folder as sentence-transformers saves it.

    Args:
        folder: what is made.
        pooling: the configuration of the pooling.
        later: further steps, each a kind and its configuration.
        said: other files' contents, as `config_sentence_transformers={...}`; `nested` is the
            transformer's folder in the model's.
    """
    nested = said.pop("nested", "")
    bert(folder / nested, transformers.AutoModel)
    steps = [("Transformer", nested), ("Pooling", "1_Pooling")]
    write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 32, **pooling})
    for at, (kind, config) in enumerate(later, 2):
        steps.append((kind, f"{at}_{kind}"))
        write(folder / f"{at}_{kind}" / "config.json", config)
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (kind, path) in enumerate(steps)
    ]
    write(folder / "modules.json", modules)
    for name, content in said.items():
        place = nested if name == "sentence_bert_config" else ""
        write(folder / place / f"{name}.json", content)
    return folder


def write(path: Path, content: Any) -> None:
    """`content` as a JSON file, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
