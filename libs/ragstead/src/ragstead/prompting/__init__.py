"""From a question and its evidence to what a model is told."""

from ragstead.prompting.templates import PromptTemplate, read_template
from ragstead.prompting.writing import Prompt, fitting, passages_of, write_prompt

__all__ = ["Prompt", "PromptTemplate", "fitting", "passages_of", "read_template", "write_prompt"]
