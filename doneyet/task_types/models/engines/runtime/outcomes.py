"""What engines say of inputs that have no answer, in the same words."""

from __future__ import annotations

import torch


def nothing_to_read(what: str) -> ValueError:
    """For a question, text or context of which the tokenizer leaves nothing."""
    return ValueError(f"the {what} has no words that this model can read")


def no_number() -> ArithmeticError:
    """For an input of which the model computes NaN or infinity."""
    return ArithmeticError(
        "the model computes NaN or infinity for this input: its weights are damaged, or the "
        'numbers are too large for its precision; try dtype = "float32" in the models table'
    )


def finite(computed: torch.Tensor) -> list[bool]:
    """Of each row (the first dimension), whether all that was computed are finite numbers."""
    good: list[bool] = computed.isfinite().flatten(start_dim=1).all(dim=1).tolist()
    return good
