"""Labels for texts, such as how friendly they are."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tasks.model_type import ModelEntry, ModelType


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    labels: dict[str, str] = Field(
        {},
        description="Method `nearest-label`: each label and a text that describes it, or several "
        "separated by `|`.",
    )


class TextClassification(ModelType):
    """Labels a text."""

    task, endpoint = "text-classification", "/sentiment"
    methods = {
        "classifier": "tasks.engines.text_classification:Classifier",
        "nearest-label": "tasks.engines.nearest_label:NearestLabel",
    }
    Options = _Options
    example = {"input_text": "I like you."}
    text_field = "input_text"

    def __init__(self, name: str, entry: ModelEntry) -> None:
        super().__init__(name, entry)
        needed = self.method == "nearest-label"
        if needed and len(self.options.model_dump()["labels"]) < 2:
            raise ValueError("method nearest-label needs two labels or more in its options")

    class Input(BaseModel):
        input_text: str = Field(min_length=1, max_length=100_000)

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
