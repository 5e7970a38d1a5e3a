"""Answers to questions, from a text or from what a model has learnt."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field, field_validator

from doneyet.task_types.models.model_type import ENGINES, ModelType, Options


class _Options(Options):
    stride: int = Field(
        128, ge=0, description="Method `extractive`: tokens that neighbouring windows share."
    )
    max_answer_tokens: int = Field(64, ge=1, le=1024, description="The longest answer.")
    may_find_none: bool = Field(
        False,
        description="Method `extractive`: the model was trained to say that a context has no "
        "answer (SQuAD 2); the answer is then empty.",
    )
    prompt: str = Field(
        "question: {question} context: {context}",
        description="Method `generative`: what the model reads.",
    )
    prompt_without_context: str = Field(
        "question: {question}", description="The same where a request has no context."
    )
    answer_pattern: str = Field(
        "",
        description="Method `generative`: a regular expression whose first group is the answer in "
        "what the model writes; default: all of it.",
    )
    num_beams: int | None = Field(None, ge=1, le=16, description="Default: the model's own.")
    sentences: int = Field(
        1, ge=1, le=20, description="Method `passages`: how many sentences an answer has."
    )

    @field_validator("prompt", "prompt_without_context")
    @classmethod
    def _has_the_question(cls, form: str) -> str:
        if "{question}" not in form:
            raise ValueError("must contain {question}")
        return form

    @field_validator("prompt")
    @classmethod
    def _has_the_context(cls, form: str) -> str:
        if "{context}" not in form:
            raise ValueError("must contain {context}")
        return form

    @field_validator("answer_pattern")
    @classmethod
    def _has_a_group(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from error
        if pattern and groups < 1:
            raise ValueError("must have a group, which is the answer")
        return pattern


class QuestionAnswering(ModelType):
    """Answers a question, from the context if there is one."""

    task, endpoint = "question-answering", "/ask_question"
    methods = {
        "extractive": f"{ENGINES}.extractive_answers:ExtractiveAnswers",
        "generative": f"{ENGINES}.generative_answers:GenerativeAnswers",
        "passages": f"{ENGINES}.sentences.passages:Passages",
    }
    Options = _Options
    batch_size = 16
    example = {
        "question": "What is the capital of France?",
        "context": "France is in Europe. Its capital is Paris.",
    }
    echo = frozenset({"question"})

    class Input(BaseModel):
        question: str = Field(min_length=1, max_length=10_000)
        context: str | None = Field(
            None,
            max_length=2_000_000,
            description="Where the answer is; only generative models answer without.",
        )

    class Output(BaseModel):
        answer: str = Field(description="A part of the context, or what a model wrote.")
        score: float | None = Field(
            description="How sure the model is, up to 1; methods differ in scale."
        )
        start: int | None = Field(description="Where in the context the answer begins.")
        end: int | None = Field(description="Where it ends.")
        truncated: bool = Field(description="Whether the end of the context was left out.")
