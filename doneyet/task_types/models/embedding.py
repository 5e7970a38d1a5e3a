"""Sentence vectors: texts of like meaning get vectors that point the same way."""

from __future__ import annotations

from pydantic import BaseModel, Field

from doneyet.task_types.models.model_type import ENGINES, ModelType, Options


class _Options(Options):
    max_tokens: int = Field(
        256,
        ge=2,
        description="Longer texts are cut here, at the latest where the model's own limit is.",
    )


class Embedding(ModelType):
    """Turns a text into a vector of length 1; the dot product of two is their similarity."""

    task, endpoint = "embedding", "/embed"
    methods = {"pooled": f"{ENGINES}.sentences.embedding:EmbeddingEngine"}
    Options = _Options
    batch_size = 64
    example = {"text": "The cat sat on the mat."}
    text_field = "text"
    echo = frozenset()

    class Input(BaseModel):
        text: str = Field(min_length=1, max_length=1_000_000)

    class Output(BaseModel):
        vector: list[float] = Field(
            description="The tokens' vectors pooled as the model says, of length 1."
        )
        tokens: int = Field(description="Tokens of the text that the vector stands for.")
        truncated: bool = Field(description="Whether the text has more tokens than that.")
