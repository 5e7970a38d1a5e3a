"""Filling in the word that a text leaves open."""

from __future__ import annotations

from pydantic import BaseModel, Field

from tasks.model_type import ModelType


class FillMask(ModelType):
    """Guesses the word behind a text's mask token, such as `[MASK]`."""

    task, endpoint = "fill-mask", "/fill_mask"
    methods = {"masked-lm": "tasks.engines.fill_mask:FillMaskEngine"}
    text_field = "text"

    class Input(BaseModel):
        text: str = Field(min_length=1, max_length=100_000)
        top_k: int = Field(5, ge=1, le=100, description="How many guesses to tell.")

    class Guess(BaseModel):
        score: float = Field(description="How probable the model finds it, from 0 to 1.")
        token: int = Field(description="Its number in the model's vocabulary.")
        token_str: str
        sequence: str = Field(description="The text with the guess in it.")

    class Output(BaseModel):
        guesses: list[FillMask.Guess] = Field(description="The most probable first.")
