"""Summaries of texts of any length."""

from __future__ import annotations

from pydantic import BaseModel, Field, model_validator

from doneyet.task_types.models.model_type import ENGINES, ModelType, Options

MOST_TOKENS = 4096


class _Options(Options):
    max_length: int = Field(
        142, ge=1, le=MOST_TOKENS, description="Default of the request's field."
    )
    min_length: int = Field(0, ge=0, le=MOST_TOKENS, description="The same.")
    prefix: str = Field(
        "", description="Method `generative`: put before each piece, as T5's `summarize: `."
    )
    num_beams: int | None = Field(
        None, ge=1, le=16, description="Method `generative`; default: the model's own."
    )

    @model_validator(mode="after")
    def _in_order(self) -> _Options:
        if self.min_length > self.max_length:
            raise ValueError("min_length must not be greater than max_length")
        return self


class Summarization(ModelType):
    """Summarizes a text, in pieces where it is longer than the model reads at once."""

    task, endpoint = "summarization", "/summarize_text"
    methods = {
        "generative": f"{ENGINES}.generative_summaries:GenerativeSummaries",
        "central-sentences": f"{ENGINES}.sentences.central_sentences:CentralSentences",
    }
    Options = _Options
    batch_size = 8
    example = {
        "context": "The harbour is full of ships. Ships bring tea and spices. The sun shines. "
        "Every ship is unloaded by hand."
    }
    text_field = "context"
    echo = frozenset()

    class Input(BaseModel):
        context: str = Field(min_length=1, max_length=5_000_000, description="What to summarize.")
        max_length: int | None = Field(
            None,
            ge=1,
            le=MOST_TOKENS,
            description="Most tokens of the summary, of each piece's where there are several; at "
            "most as many as the model can write.",
        )
        min_length: int | None = Field(
            None, ge=0, le=MOST_TOKENS, description="Least tokens; for generative models only."
        )

        @model_validator(mode="after")
        def _in_order(self) -> Summarization.Input:
            if self.max_length is not None and (self.min_length or 0) > self.max_length:
                raise ValueError("min_length must not be greater than max_length")
            return self

    class Output(BaseModel):
        summary: str
        pieces: int = Field(description="How many parts of the text were summarized by themselves.")
        truncated: bool = Field(
            description="Whether something of the text was left out; these methods read all of it."
        )
