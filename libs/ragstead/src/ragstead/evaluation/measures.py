"""The measures: what each is called, what it says, and which way is better.

A question gives a measure a `Score`: a value and the weight it counts with, or nothing where the measure says nothing
about it. A set of questions has the weighted mean, ``sum(w_i * v_i) / sum(w_i)``; with nothing to count, the value
that no error gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


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
    """

    says: str
    higher_is_better: bool = True

    @property
    def of_nothing(self) -> float:
        """Value where no question says anything: no error was made."""
        return 1.0 if self.higher_is_better else 0.0


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
    "ndcg@10": Measure("nDCG of the first 10 documents found, gold sources relevant"),
    "recall@10": Measure("share of the gold sources among the first 10 documents found"),
    "mrr@10": Measure("one over the place of the first gold source among 10 documents"),
    "cost_usd": Measure("what the models charged for an answer", False),
    "words_per_answer": Measure("words of an answer given", False),
}
"""By name. Of words neither fewer nor more are better; the figure is there to explain others."""


def mean_score(name: str, scores: Iterable[Score | None]) -> float:
    """Return the weighted mean of a measure; questions without a score are left out."""
    given = [score for score in scores if score is not None]
    weight = sum(score.weight for score in given)
    return sum(score.value * score.weight for score in given) / weight if weight else MEASURES[name].of_nothing
