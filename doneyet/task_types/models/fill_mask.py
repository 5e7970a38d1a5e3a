"""Filling in the words that a text leaves open."""

from __future__ import annotations

from pydantic import BaseModel, Field

from doneyet.task_types.models.model_type import ENGINES, ModelType, Options

MASK = "[MASK]"
"""What stands for an open word with every model, whatever the model's own mask token is."""


class _Options(Options):
    words: int = Field(
        5000,
        ge=100,
        le=100_000,
        description="Method `nearest-word`: how many words may be guessed.",
    )


class FillMask(ModelType):
    """Guesses the words that `[MASK]` stands for in a text."""

    task, endpoint = "fill-mask", "/fill_mask"
    methods = {
        "masked-lm": f"{ENGINES}.fill_mask:FillMaskEngine",
        "nearest-word": f"{ENGINES}.sentences.nearest_word:NearestWord",
    }
    Options = _Options
    example = {"text": "The capital of France is [MASK]."}
    text_field = "text"

    class Input(BaseModel):
        text: str = Field(
            min_length=1,
            max_length=100_000,
            description="A text with `[MASK]` where a word is missing; the model's own mask token "
            "is understood, too.",
        )
        top_k: int = Field(5, ge=1, le=100, description="Guesses for each `[MASK]`.")

    class Guess(BaseModel):
        score: float = Field(description="How probable the model finds it, from 0 to 1.")
        token: int = Field(description="Its number in the model's vocabulary.")
        token_str: str
        sequence: str = Field(description="The text with the guess in it, as the model reads it.")

    class Output(BaseModel):
        guesses: list[FillMask.Guess] | list[list[FillMask.Guess]] = Field(
            description="The most probable first. Where the text has several masks: a list for "
            "each, in the order of the text; in its sequences the other masks are still open."
        )
