"""Summaries of texts of any length."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tasks.model_type import ModelType


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    max_length: int = Field(
        142, ge=8, le=4096, description="Tokens of a piece's summary, where a request does not say."
    )


class Summarization(ModelType):
    """Summarizes a text, in pieces where it is longer than the model reads at once."""

    task, endpoint = "summarization", "/summarize_text"
    methods = {
        "generative": "tasks.engines.generative_summaries:GenerativeSummaries",
        "central-sentences": "tasks.engines.central_sentences:CentralSentences",
    }
    Options = _Options
    batch_size = 8
    text_field = "context"
    echo = frozenset()

    class Input(BaseModel):
        context: str = Field(min_length=1, max_length=5_000_000, description="What to summarize.")
        max_length: int | None = Field(
            None, ge=8, le=4096, description="Most tokens of the summary of each piece."
        )

    class Output(BaseModel):
        summary: str
        pieces: int
        truncated: bool
