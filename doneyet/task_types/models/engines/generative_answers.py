"""The engine of `question-answering` by a text-to-text model such as T5 or MACAW."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from doneyet.task_types.models.engines.runtime.engine_base import EngineBase
from doneyet.task_types.models.engines.runtime.outcomes import nothing_to_read
from doneyet.task_types.models.engines.runtime.padding import batches_of_like_length
from doneyet.task_types.models.engines.text_to_text import TextToText
from doneyet.task_types.models.model_type import ModelEntry, Progress


class _Prepared(NamedTuple):
    sequence: dict[str, list[int]]
    tokens: int
    truncated: bool


class GenerativeAnswers(EngineBase):
    """Writes an answer to a prompt that is made of question and context."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._writer = TextToText(entry, options.max_answer_tokens)
        super().__init__(self._writer.pretrained)
        self._options = options
        self._pattern = re.compile(options.answer_pattern) if options.answer_pattern else None

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        return [
            self._prepared(item.question.strip(), (item.context or "").strip()) for item in inputs
        ]

    def _prepared(self, question: str, context: str) -> _Prepared | Exception:
        """The prompt's tokens; a context that is too long loses its end, and the answer says so."""
        if not self._tokens(question):
            return nothing_to_read("question")
        special = self._writer.special
        room = self.pretrained.max_tokens - special.around_one
        whole = ids = self._tokens(self._prompt(question, context))
        kept = context
        while len(ids) > room and kept:
            _, offsets = self.pretrained.tokens_and_places(kept)
            count = len(offsets) - (len(ids) - room)
            # Where the first token that is left out begins: a sign may have several tokens.
            kept = kept[: offsets[count][0]].strip() if count > 0 else ""
            ids = self._tokens(self._prompt(question, kept))
        if len(ids) > room:
            return ValueError(f"the question's prompt has {len(ids)} tokens; {room} are possible")
        sequence = special.wrap(ids)
        return _Prepared(sequence, len(sequence["input_ids"]), truncated=ids is not whole)

    def _prompt(self, question: str, context: str) -> str:
        options = self._options
        form = options.prompt if context else options.prompt_without_context
        parts = {"{question}": question, "{context}": context}
        return re.sub(r"\{question\}|\{context\}", lambda match: parts[match[0]], str(form))

    def _tokens(self, text: str) -> list[int]:
        tokenizer = self.pretrained.tokenizer
        ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def run(
        self, prepared: Sequence[_Prepared], progress: Progress
    ) -> list[dict[str, Any] | Exception]:
        outputs: list[dict[str, Any] | Exception] = [{}] * len(prepared)
        lengths = [each.tokens for each in prepared]
        for batch in batches_of_like_length(lengths, self.max_batch_tokens):
            written = self._writer.write(
                [prepared[place].sequence for place in batch],
                most=self._options.max_answer_tokens,
                beams=self._options.num_beams,
                scored=True,
            )
            for place, answer in zip(batch, written, strict=True):
                if isinstance(answer, Exception):
                    outputs[place] = answer
                    continue
                outputs[place] = {
                    "answer": self._extracted(answer.text),
                    "score": answer.score,
                    "start": None,
                    "end": None,
                    "truncated": prepared[place].truncated,
                }
        return outputs

    def _extracted(self, text: str) -> str:
        """What the pattern finds in `text`; all of it where it finds nothing."""
        match = self._pattern.search(text) if self._pattern else None
        return (match[1] or "").strip() if match else text
