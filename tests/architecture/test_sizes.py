"""The measures that tell well-kept code from the other kind; docs/development.md says why these."""

from __future__ import annotations

import ast
import graphlib
import re
import statistics

import pytest
from source_tree import OURS, PRODUCT, Module, functions, length, modules

LONGEST_FILE = 500
LONGEST_FUNCTION = 80
MEDIAN_FUNCTION = 12
BANNED_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "base",
    "manager",
    "managers",
    "handler",
    "handlers",
    "misc",
}
READS_ENVIRONMENT = {"loading", "verb"}
"""Names of the modules that may read the environment, at most two files: the settings and the command line."""
BLIND_EXCEPTS_PER_1000_LINES = 1.0


@pytest.mark.parametrize("module", modules(*OURS), ids=lambda module: module.path)
def test_no_file_is_longer_than_the_limit(module: Module) -> None:
    lines = module.text.count("\n")
    assert lines <= LONGEST_FILE, f"{module.path} has {lines} lines: it has two reasons to change, split it"


def test_no_function_is_longer_than_the_limit() -> None:
    found = {f"{m.path}:{f.lineno} {f.name}": length(f) for m in modules(*OURS) for f in functions(m)}
    assert {where: lines for where, lines in found.items() if lines > LONGEST_FUNCTION} == {}


def test_median_function_of_the_product_is_short() -> None:
    lengths = [length(function) for module in modules(*PRODUCT) for function in functions(module)]
    assert statistics.median(lengths) < MEDIAN_FUNCTION


@pytest.mark.parametrize("module", modules(*OURS), ids=lambda module: module.path)
def test_no_module_or_folder_has_a_name_that_says_nothing(module: Module) -> None:
    assert not BANNED_NAMES & set(module.path.removesuffix(".py").split("/"))


def is_blind(handler: ast.ExceptHandler) -> bool:
    """Says whether a handler catches everything and goes on; as for ruff, one that ends in a `raise` does not."""
    if isinstance(handler.body[-1], ast.Raise):
        return False
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {node.id for node in caught if isinstance(node, ast.Name)}
    return handler.type is None or bool(names & {"Exception", "BaseException"})


def test_blind_excepts_are_rare_and_each_says_why() -> None:
    blind, unexplained, lines = 0, [], 0
    for module in modules(*PRODUCT, "scripts/"):
        text = module.text.splitlines()
        lines += len(text)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and is_blind(node):
                blind += 1
                if not re.search(r"# noqa: BLE001\W+\w+", text[node.lineno - 1]):
                    unexplained.append(f"{module.path}:{node.lineno}")
    assert unexplained == [], "a blind except carries `# noqa: BLE001  (why)`"
    assert blind <= max(1, lines / 1000 * BLIND_EXCEPTS_PER_1000_LINES)


def reads_environment(module: Module) -> bool:
    """Says whether a module touches `os.environ` or `os.getenv`."""
    attributes = {(node.value.id, node.attr) for node in ast.walk(module.tree)
                  if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)}  # fmt: skip
    imported = {alias.name for node in ast.walk(module.tree)
                if isinstance(node, ast.ImportFrom) and node.module == "os" for alias in node.names}  # fmt: skip
    return bool({("os", "environ"), ("os", "getenv")} & attributes or {"environ", "getenv"} & imported)


def test_only_the_settings_and_the_command_line_read_the_environment() -> None:
    readers = [module.path for module in modules(*PRODUCT) if reads_environment(module)]
    assert len(readers) <= 2, readers
    assert {path.rpartition("/")[2].removesuffix(".py") for path in readers} <= READS_ENVIRONMENT, readers


def imports_of(module: Module, known: set[str]) -> set[str]:
    """The modules of ours that a module imports when it runs; a submodule stands for itself, not for its package."""
    typing_only = {id(inner) for node in ast.walk(module.tree) if isinstance(node, ast.If)
                   and "TYPE_CHECKING" in ast.dump(node.test) for inner in ast.walk(node)}  # fmt: skip
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inside & known or {node.module}
    return (found & known) - {module.name}


def test_no_module_is_in_an_import_cycle() -> None:
    ours = modules(*PRODUCT)
    known = {module.name for module in ours}
    graphlib.TopologicalSorter({module.name: imports_of(module, known) for module in ours}).prepare()
