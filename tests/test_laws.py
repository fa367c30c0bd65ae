"""Which law has which tests: reads the laws of docs/laws.md and the ``law`` markers of all tests.

A marker stands before a test, before a class, or in a module's ``pytestmark``:
``@pytest.mark.law("L6", "L7")``. Run this file with ``-s`` to see the table.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

TESTS = Path(__file__).resolve().parent
LAWS = TESTS.parent / "docs" / "laws.md"

REQUIRED = frozenset({*(f"L{n}" for n in range(1, 42)), *(f"P{n}" for n in range(1, 9))})
"""Laws that must have a test of their own: all of them."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def laws(text: str) -> list[str]:
    """The numbers of the laws and properties, in the order in which they stand."""
    return re.findall(r"^\*\*([LP]\d+)\. ", text, re.MULTILINE)


def marked(node: ast.expr) -> list[str]:
    """The numbers in ``pytest.mark.law(...)``; nothing for any other expression."""
    if isinstance(node, ast.List | ast.Tuple):
        return [number for element in node.elts for number in marked(element)]
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.law":
        return [ast.literal_eval(argument) for argument in node.args]
    return []


def of_module(tree: ast.Module) -> list[str]:
    """What a module's ``pytestmark`` says for all of its tests."""
    return [
        number
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for number in marked(node.value)
    ]


def named_tests(node: ast.Module | ast.ClassDef, inherited: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each test below ``node`` with the laws that it names, those of its class and module included."""
    for child in node.body:
        if not isinstance(child, Definition):
            continue
        numbers = inherited + [number for mark in child.decorator_list for number in marked(mark)]
        if isinstance(child, ast.ClassDef):
            yield from named_tests(child, numbers)
        elif child.name.startswith("test_"):
            yield child.name, numbers


def table(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """Law -> tests, from the sources of test modules by their names."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, source in sources.items():
        tree = ast.parse(source, name)
        for test, numbers in named_tests(tree, of_module(tree)):
            for number in dict.fromkeys(numbers):
                found[number].append(f"{name}::{test}")
    return found


def problems(known: list[str], found: Mapping[str, list[str]], required: frozenset[str]) -> list[str]:
    unknown = [
        f"{number} is no law, but named by {found[number][0]}" for number in found if number not in known
    ]
    missing = [f"{number} has no test" for number in sorted(required) if not found.get(number)]
    strange = [f"{number} is required, but no law" for number in sorted(required) if number not in known]
    return unknown + missing + strange


def test_every_law_named_exists_and_every_required_law_is_tested() -> None:
    sources = {
        str(path.relative_to(TESTS)): path.read_text(encoding="utf-8") for path in sorted(TESTS.rglob("*.py"))
    }
    known, found = laws(LAWS.read_text(encoding="utf-8")), table(sources)
    for number in known:
        print(f"{number:4}{len(found[number]):4}  {', '.join(found[number])}")
    assert problems(known, found, REQUIRED) == []


def test_the_laws_are_numbered_without_gap_or_repeat() -> None:
    known = laws(LAWS.read_text(encoding="utf-8"))
    expected = [f"L{number}" for number in range(1, 42)] + [f"P{number}" for number in range(1, 9)]
    assert sorted(known) == sorted(expected)


def test_markers_of_module_class_and_test_are_found() -> None:
    source = (
        "pytestmark = [pytest.mark.slow, pytest.mark.law('L1')]\n"
        "@pytest.mark.law('L2', 'L3')\n"
        "class TestSome:\n"
        "    @pytest.mark.law('P1')\n"
        "    def test_one(self): ...\n"
        "    def helper(self): ...\n"
        "@pytest.mark.slow\n"
        "def test_two(): ...\n"
    )
    assert table({"t.py": source}) == {
        "L1": ["t.py::test_one", "t.py::test_two"],
        "L2": ["t.py::test_one"],
        "L3": ["t.py::test_one"],
        "P1": ["t.py::test_one"],
    }


def test_an_unknown_law_and_a_law_without_a_test_are_found() -> None:
    assert problems(["L1"], {"L1": ["t"]}, frozenset({"L1"})) == []
    assert problems(["L1", "L2"], {"L99": ["t.py::test_x"]}, frozenset({"L2", "L7"})) == [
        "L99 is no law, but named by t.py::test_x",
        "L2 has no test",
        "L7 has no test",
        "L7 is required, but no law",
    ]
