"""Labels for texts, such as how friendly they are."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, field_validator

from doneyet.task_types.models.model_type import ENGINES, ModelEntry, ModelType, Options

_Text = Annotated[str, Field(min_length=1)]


class _Options(Options):
    labels: dict[_Text, Annotated[list[_Text], Field(min_length=1)]] = Field(
        {},
        description="Method `nearest-label`: each label and a text that describes it, or a list of "
        "such texts, of which the nearest counts.",
    )
    temperature: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Method `nearest-label`: scores are the softmax of likeness (a cosine, from "
        "-1 to 1) divided by this; the smaller, the more decided.",
    )

    @field_validator("labels", mode="before")
    @classmethod
    def _listed(cls, labels: Any) -> Any:
        if not isinstance(labels, dict):
            return labels
        return {name: [told] if isinstance(told, str) else told for name, told in labels.items()}


class TextClassification(ModelType):
    """Labels a text."""

    task, endpoint = "text-classification", "/sentiment"
    methods = {
        "classifier": f"{ENGINES}.text_classification:Classifier",
        "nearest-label": f"{ENGINES}.sentences.nearest_label:NearestLabel",
    }
    Options = _Options
    example = {"input_text": "I like you."}
    text_field = "input_text"

    def __init__(self, name: str, entry: ModelEntry) -> None:
        super().__init__(name, entry)
        told = entry.options.keys() & {"labels", "temperature"}
        if self.method != "nearest-label" and told:
            raise ValueError(f"options.{min(told)} is for the method nearest-label only")
        if self.method == "nearest-label" and len(self.options.model_dump()["labels"]) < 2:
            raise ValueError("the method nearest-label needs two options.labels or more")

    class Input(BaseModel):
        input_text: str = Field(
            min_length=1,
            max_length=100_000,
            description="What is longer than the model reads is judged by its beginning, and the "
            "answer says `truncated`.",
        )

    class Score(BaseModel):
        label: str
        score: float = Field(
            description="From 0 to 1; together 1, unless the model may give several labels."
        )

    class Output(BaseModel):
        label: str = Field(description="The best label.")
        score: float
        scores: list[TextClassification.Score] = Field(description="All labels, the best first.")
        truncated: bool = Field(description="Whether the model read only the start of the text.")
