"""Answers to questions, from a text or from what a model has learnt."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tasks.model_type import ModelType


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")


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
        answer: str
        score: float | None
