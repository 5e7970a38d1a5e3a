"""What a tokenizer puts around texts, so that sequences can be put together from parts of them.

Tokenizers cut a text that is too long. Windows and pieces need every token of it, and the special
tokens around each. Those are found by looking at what the tokenizer makes of two short texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_ONE, _OTHER = "a", "b"


class SpecialTokens:
    """Around one text: head, text, tail. Around two: head, one, middle, other, tail."""

    def __init__(self, tokenizer: Any) -> None:
        one, other = (
            tokenizer(text, add_special_tokens=False)["input_ids"] for text in (_ONE, _OTHER)
        )
        single, pair = tokenizer(_ONE), tokenizer(_ONE, _OTHER)
        at = _find(one, single["input_ids"], 0)
        self.head, self.tail = single["input_ids"][:at], single["input_ids"][at + len(one) :]
        ids = pair["input_ids"]
        first = _find(one, ids, 0)
        second = _find(other, ids, first + len(one))
        self.pair_head, self.middle = ids[:first], ids[first + len(one) : second]
        self.pair_tail = ids[second + len(other) :]
        self._types = None
        if "token_type_ids" in pair:
            types = pair["token_type_ids"]
            self._types = (
                *(types[:first], types[first], types[first + len(one) : second]),
                *(types[second], types[second + len(other) :]),
            )

    @property
    def around_one(self) -> int:
        """How many tokens one text gets."""
        return len(self.head) + len(self.tail)

    @property
    def around_two(self) -> int:
        """How many tokens two texts get together."""
        return len(self.pair_head) + len(self.middle) + len(self.pair_tail)

    def wrap(self, ids: Sequence[int]) -> dict[str, list[int]]:
        """The model's input for one text's tokens, as the tokenizer makes it."""
        whole = [*self.head, *ids, *self.tail]
        wrapped = {"input_ids": whole, "attention_mask": [1] * len(whole)}
        if self._types is not None:
            wrapped["token_type_ids"] = [self._types[1]] * len(whole)
        return wrapped

    def wrap_pair(self, one: Sequence[int], other: Sequence[int]) -> dict[str, list[int]]:
        """The model's input for the tokens of two texts."""
        whole = [*self.pair_head, *one, *self.middle, *other, *self.pair_tail]
        wrapped = {"input_ids": whole, "attention_mask": [1] * len(whole)}
        if self._types is not None:
            head, first, middle, second, tail = self._types
            ones, others = [first] * len(one), [second] * len(other)
            wrapped["token_type_ids"] = [*head, *ones, *middle, *others, *tail]
        return wrapped


def _find(part: Sequence[int], whole: Sequence[int], start: int) -> int:
    """Where `part` begins in `whole`.

    Raises:
        ValueError: it is not in it.
    """
    for at in range(start, len(whole) - len(part) + 1):
        if whole[at : at + len(part)] == part:
            return at
    raise ValueError("this tokenizer changes a text when it adds special tokens; use another model")
