"""From a question and its evidence to what a model is told."""

from ragstead.prompting.dialogue import DIALOGUE_SLOTS, DialogueTemplate, read_dialogue_template, transcript
from ragstead.prompting.planning import PLANNING_INSTRUCTIONS, write_planning_prompt
from ragstead.prompting.templates import PromptTemplate, read_template
from ragstead.prompting.writing import Prompt, fitting, passages_of, write_prompt

__all__ = [
    "DIALOGUE_SLOTS",
    "PLANNING_INSTRUCTIONS",
    "DialogueTemplate",
    "Prompt",
    "PromptTemplate",
    "fitting",
    "passages_of",
    "read_dialogue_template",
    "read_template",
    "transcript",
    "write_planning_prompt",
    "write_prompt",
]
