"""What the architecture tests look at: the repository's files, and its Python modules as syntax trees."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("libs/", "services/")
OURS = (*PRODUCT, "scripts/", "evals/", "tests/")
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A Python file of the repository: its path from the root, its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The dotted name under which it is imported; empty outside `src` folders."""
        _, found, inside = self.path.partition("/src/")
        return inside.removesuffix(".py").removesuffix("/__init__").replace("/", ".") if found else ""


@cache
def tracked() -> tuple[str, ...]:
    """Every file that is or would be committed, from the root, sorted."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return tuple(sorted(path for path in listed if path and (ROOT / path).is_file()))


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """The Python modules under the folders."""
    paths = [path for path in tracked() if path.endswith(".py") and path.startswith(folders)]
    texts = [(ROOT / path).read_text(encoding="utf-8") for path in paths]
    return tuple(Module(path, text, ast.parse(text)) for path, text in zip(paths, texts, strict=True))


def functions(module: Module) -> list[FunctionNode]:
    """Every function and method of a module, nested ones too."""
    return [node for node in ast.walk(module.tree) if isinstance(node, FunctionNode)]


def length(node: FunctionNode) -> int:
    """Lines from `def` to the last, without the docstring."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines
