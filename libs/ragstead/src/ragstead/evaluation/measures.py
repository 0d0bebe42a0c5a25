"""The measures: what each is called, what it says, and which way is better.

A question gives a measure a `Score`: a value and the weight it counts with, or nothing where the measure says nothing
about it. A set of questions has the weighted mean, ``sum(w_i * v_i) / sum(w_i)``; with nothing to count, the value
that no error gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["answer", "ranking", "opinion"]
"""What says something of a measure: answers and rankings of a suite, rankings of queries, a judge."""


@dataclass(frozen=True, slots=True)
class Score:
    """What one question says of one measure.

    Attributes:
        value: In the measure's own range.
        weight: How much it counts, above 0; 1 but where a question has several things to count.
    """

    value: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured.

    Attributes:
        says: In one line.
        higher_is_better: Which way is better.
        kinds: Which evaluations say something of it.
    """

    says: str
    higher_is_better: bool = True
    kinds: tuple[Kind, ...] = ("answer",)

    @property
    def of_nothing(self) -> float:
        """Value where no question says anything: no error was made."""
        return 1.0 if self.higher_is_better else 0.0


_BOTH: tuple[Kind, ...] = ("answer", "ranking")
_OPINIONS: Mapping[str, str] = {
    "faithfulness": "share of an answer's claims that the passages do not contradict, as a model judges",
    "answer_relevancy": "share of an answer's statements that are to the question, as a model judges",
    "contextual_precision": "whether the passages that matter stand first, as a model judges",
    "contextual_recall": "share of the gold answer that the passages carry, as a model judges",
    "hallucination": "share of the passages that the answer does not contradict, as a model judges",
    "toxicity": "share of the answer's opinions that are not toxic, as a model judges",
    "bias": "share of the answer's opinions that are not biased, as a model judges",
    "pii_leakage": "share of the answer's statements without personal data, as a model judges",
}
MEASURES: Mapping[str, Measure] = {
    "answers_contained": Measure("share of answerable questions whose answer holds a gold one"),
    "exact_match": Measure("share of answerable questions whose answer is a gold one and nothing more"),
    "token_f1": Measure("F1 of words against the best gold answer, mean over answerable questions"),
    "answers_cited": Measure("share of answers given that carry a citation"),
    "sources_cited": Measure("share of answerable questions with sources whose answer cites one of them"),
    "citation_precision": Measure("share of an answer's citations that lead to a gold source, mean over those given"),
    "citation_recall": Measure("share of the gold sources that the answer cites, mean over answerable questions"),
    "citations_valid": Measure("share of citations whose quote stands at its offsets in the document"),
    "citations_fabricated": Measure("share of the citations made that the server could not verify and dropped", False),
    "refusal_precision": Measure("share of the refusals that were right"),
    "refusal_recall": Measure("share of the unanswerable questions that were refused"),
    "groundedness": Measure("probability that the quotes cited carry an answer's sentence, mean over sentences"),
    "ndcg@10": Measure("nDCG of the first 10 documents found, gold sources relevant", kinds=_BOTH),
    "recall@10": Measure("share of the gold sources among the first 10 documents found", kinds=_BOTH),
    "recall@100": Measure("share of the relevant documents among the first 100 found", kinds=("ranking",)),
    "mrr@10": Measure("one over the place of the first gold source among 10 documents", kinds=_BOTH),
    "hit@1": Measure("share of queries whose first document is relevant", kinds=("ranking",)),
    "cost_usd": Measure("what the models charged for an answer", False),
    "words_per_answer": Measure("words of an answer given", False),
    **{name: Measure(says, kinds=("opinion",)) for name, says in _OPINIONS.items()},
}
"""By name. Of words neither fewer nor more are better; the figure is there to explain others."""


def mean_score(name: str, scores: Iterable[Score | None]) -> float:
    """Return the weighted mean of a measure; questions without a score are left out."""
    given = [score for score in scores if score is not None]
    weight = sum(score.weight for score in given)
    return sum(score.value * score.weight for score in given) / weight if weight else MEASURES[name].of_nothing


def measures_of(kind: Kind) -> tuple[str, ...]:
    """Return the names of the measures that evaluations of a kind say something of."""
    return tuple(name for name, measure in MEASURES.items() if kind in measure.kinds)
