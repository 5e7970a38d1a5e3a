"""Answers to questions, from a text or from what a model has learnt."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tasks.model_type import ModelType


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sentences: int = Field(
        1, ge=1, le=20, description="Method `passages`: how many sentences an answer has."
    )


class QuestionAnswering(ModelType):
    """Answers a question, from the context if there is one."""

    task, endpoint = "question-answering", "/ask_question"
    methods = {
        "extractive": "tasks.engines.extractive_answers:ExtractiveAnswers",
        "generative": "tasks.engines.generative_answers:GenerativeAnswers",
        "passages": "tasks.engines.passages:Passages",
    }
    Options = _Options
    echo = frozenset({"question"})

    class Input(BaseModel):
        question: str = Field(min_length=1, max_length=10_000)
        context: str | None = Field(None, max_length=2_000_000, description="Where to look.")

    class Output(BaseModel):
        answer: str = Field(description="A part of the context, or what a model wrote.")
        score: float | None = Field(description="How sure the model is; methods differ in scale.")
        start: int | None = Field(description="Where the answer begins in the context.")
        end: int | None = Field(description="Where it ends.")
        truncated: bool = Field(description="Whether the model read only a part of the context.")
