"""DeepEval's own runner and metrics, with a scripted judge; nothing leaves loopback."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from integration.loopback_guard import guard
from ragstead.bootstrap.evaluation import yardstick
from ragstead.bootstrap.judging import deepeval_metrics, open_judge
from ragstead.errors import ConfigurationError, InvalidRequest, Unavailable
from ragstead.evaluation.suites import Case, Suite
from ragstead.ports.evaluated import AnswerRecord, CitedQuote
from ragstead.ports.judge import JudgedAnswer
from ragstead.settings import Settings
from services.scripted_model import refuses, says, scripted

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SUITE = ROOT / "evals" / "deepeval" / "test_handbook.py"
CASE = Case(id="q", question="How many days?", answers=("27 days",), sources=("leave.md",))
YARDSTICK = yardstick(Suite(questions=(CASE,)))
ANSWER = JudgedAnswer("How many days?", "27 days [1].", ("Everyone has 27 days.",), "27 days")


def run(command: Sequence[object], folder: Path, cwd: Path) -> tuple[str, str]:
    """Run a command that may reach loopback alone; gives its output and what it tried to reach."""
    path, attempts = guard(folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEEPEVAL_", "CONFIDENT_"))}
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        env={**kept, "PYTHONPATH": f"{path}{os.pathsep}{ROOT}", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"},
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout, attempts.read_text()


@pytest.mark.slow
def test_suite_runs_with_deepevals_runner_and_nothing_leaves_or_is_left(tmp_path: Path) -> None:
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    output, attempts = run([sys.executable, "-m", "evals.deepeval"], tmp_path, cwd)
    assert "Pass Rate: 100.0%" in output
    assert "ragstead citations_valid" in output
    assert attempts == ""
    assert list(cwd.iterdir()) == []


@pytest.mark.slow
def test_suite_runs_under_pytest_too(tmp_path: Path) -> None:
    output, attempts = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", SUITE], tmp_path, tmp_path)
    assert "61 passed" in output
    assert attempts == ""


def test_runner_started_in_the_repository_reads_there_that_it_is_to_be_quiet(tmp_path: Path) -> None:
    code = "import deepeval, deepeval.telemetry as t; print(t.telemetry_opt_out(), type(t.get_backend()).__name__)"
    output, attempts = run([sys.executable, "-c", code], tmp_path, ROOT)
    assert output.split() == ["True", "NoopBackend"]
    assert attempts == ""


def test_adapter_that_is_imported_before_deepeval_is_quiet_refuses(tmp_path: Path) -> None:
    code = (
        "from ragstead.errors import ConfigurationError\n"
        "try:\n    import ragstead.adapters.deepeval\nexcept ConfigurationError as error: print(error)"
    )
    output, attempts = run([sys.executable, "-c", code], tmp_path, tmp_path)
    assert "quiet_deepeval" in output
    assert attempts == ""


def test_missing_extra_fails_with_the_command_that_mends_it(tmp_path: Path) -> None:
    (tmp_path / "deepeval").mkdir()
    (tmp_path / "deepeval" / "__init__.py").write_text("raise ModuleNotFoundError('no', name='deepeval')")
    code = (
        "from ragstead.bootstrap.judging import deepeval_metrics\nfrom ragstead.errors import ConfigurationError\n"
        "try:\n    deepeval_metrics()\nexcept ConfigurationError as error: print(error)"
    )
    output, _ = run([sys.executable, "-c", code], tmp_path, tmp_path)
    assert output.strip() == "DeepEval is not installed: pip install 'ragstead[deepeval]'"


def test_metric_scores_an_answer_as_the_gate_does() -> None:
    ours = deepeval_metrics()
    quotes = (CitedQuote(0, 7, "leave.md", "leave.md", "27 days", "27 days"),
              CitedQuote(0, 7, "pay.md", "pay.md", "27 days", "no"))  # fmt: skip
    case = ours.test_case_of(CASE, AnswerRecord("27 days [1][2].", False, 0.9, quotes, dropped_citations=2))
    scores = {}
    for name in ("answers_contained", "citations_valid", "citation_precision", "citations_fabricated"):
        metric = ours.MeasureMetric(name, YARDSTICK)
        scores[name] = metric.measure(case)
        assert metric.is_successful() is (scores[name] == 1.0)
        assert metric.__name__ == f"ragstead {name}"
    assert scores == {
        "answers_contained": 1.0, "citations_valid": 0.5, "citation_precision": 0.5, "citations_fabricated": 0.5,
    }  # fmt: skip


def test_metric_that_says_nothing_about_a_question_is_skipped_and_passes() -> None:
    metric = deepeval_metrics().MeasureMetric("refusal_recall", YARDSTICK)
    metric.measure(deepeval_metrics().test_case_of(CASE, AnswerRecord("27 days", False, 0.9)))
    assert (metric.skipped, metric.is_successful()) == (True, True)


def test_metric_takes_test_cases_that_are_not_ours() -> None:
    ours = deepeval_metrics()
    from deepeval.test_case import LLMTestCase  # noqa: PLC0415  (after it was told to be quiet)

    metric = ours.MeasureMetric("answers_contained", YARDSTICK)
    assert metric.measure(LLMTestCase(input="?", actual_output="It is 27 days.", expected_output="27 days")) == 1.0
    assert metric.measure(LLMTestCase(input="?", actual_output="It is 30 days.", expected_output="27 days")) == 0.0
    with pytest.raises(InvalidRequest, match="'magic'"):
        ours.MeasureMetric("magic", YARDSTICK)


def judged(base_url: str, ask: Callable[[Any], Any], **how: Any) -> Any:
    settings = Settings.model_validate(
        {"deployment": {"generation": {"models": {"judge": {"base_url": base_url, "context_tokens": 8192}}}}}
    )

    async def opened() -> Any:
        async with AsyncExitStack() as stack:
            return await ask(open_judge(settings, "judge", stack, **how))

    return asyncio.run(opened())


def verdict(word: str, **more: object) -> str:
    return json.dumps({"verdicts": [{"verdict": word, "reason": "so"}], **more})


OPINIONS = json.dumps({"opinions": ["people of Lund are lazy"]})
REASON = json.dumps({"reason": "because"})


def test_judge_asks_a_model_of_openais_api_and_reads_its_json_out_of_the_words_around() -> None:
    scripts = [says(f"Sure! {OPINIONS} Hope it helps."), says(f"```json\n{verdict('yes')}\n```"), says(REASON)]
    with scripted(*scripts) as server:
        found = judged(server.base_url, lambda judge: judge.judge(ANSWER), measures=["bias"], repeats=1)
        assert len(server.asked) == 3
    assert [(one.name, one.value, one.spread, one.repeats) for one in found] == [("bias", 0.0, 0.0, 1)]
    assert found[0].why


def test_judgement_is_repeated_and_tells_its_spread() -> None:
    scripts = []
    for word in ("yes", "no"):
        scripts += [says(OPINIONS), says(verdict(word)), says(REASON)]
    with scripted(*scripts) as server:
        found = judged(server.base_url, lambda judge: judge.judge(ANSWER), measures=["toxicity"], repeats=2)
    assert [(one.value, one.spread, one.repeats) for one in found] == [(0.5, 0.5, 2)]


def test_unreadable_verdict_is_asked_for_once_more_and_then_left_out() -> None:
    with scripted(says("I would rather not say.")) as server:
        found = judged(server.base_url, lambda judge: judge.judge(ANSWER), measures=["bias"], repeats=1)
        assert len(server.asked) == 2
        assert "could not be read" in str(server.asked[1])
    assert found == []


def test_judge_that_is_down_is_unavailable() -> None:
    with scripted(refuses(500)) as server, pytest.raises(Unavailable):
        judged(server.base_url, lambda judge: judge.judge(ANSWER), measures=["bias"], repeats=1)


def test_measures_that_the_answer_lacks_the_parts_for_are_not_asked() -> None:
    bare = JudgedAnswer("How many?", "27 days")
    wanted = ["faithfulness", "contextual_recall", "contextual_precision", "hallucination"]
    with scripted(says("{}")) as server:
        assert judged(server.base_url, lambda judge: judge.judge(bare), measures=wanted) == []
        assert server.asked == []


@pytest.mark.parametrize("name", ["faithfulness", "answer_relevancy", "contextual_precision", "contextual_recall",
                                  "hallucination", "toxicity", "bias", "pii_leakage"])  # fmt: skip
def test_each_judged_measure_runs_on_a_model_that_says_yes_to_everything(name: str) -> None:
    word = "no" if name in {"toxicity", "bias", "pii_leakage"} else "yes"
    lists = {key: ["a"] for key in ["opinions", "claims", "truths", "statements", "extracted_pii"]}
    everything = verdict(word, **lists, reason="so")
    with scripted(says(everything)) as server:
        found = judged(server.base_url, lambda judge: judge.judge(ANSWER), measures=[name], repeats=1)
    assert [(one.name, one.value) for one in found] == [(name, 1.0)]


def test_judge_of_an_unknown_measure_or_model_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'magic'"):
        judged("http://127.0.0.1:9/v1", lambda judge: judge, measures=["magic"])

    async def opened() -> None:
        async with AsyncExitStack() as stack:
            open_judge(Settings(), "nobody", stack)

    with pytest.raises(ConfigurationError, match="nobody"):
        asyncio.run(opened())
