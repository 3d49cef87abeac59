#!/usr/bin/env python3
"""tests/RELIABILITY.md says for each line of the hardening checklist which test shows it, or why it is not handled: the tests have to exist, every
line needs one of both, and no line may be missing.

    reliability_md_is_true.py ROOT      exits 1 and names each row that is not so
    reliability_md_is_true.py --self-test

A test is `FILE.py::NAME` below tests/integration/, `unit/FOLDER/FILE.cpp::Suite.Name`, or `FAULTS.md::FAULT`, a row of that table. [F5] behind
a name are those of its parameters that begin with "F5 ". Without :: it is a file below tests/, or below the root.
"""
import ast
import pathlib
import re
import sys

SECTIONS = "LFHTAOV"
REASON = re.compile(r"not (?:handled|yet): \S")
REFERENCE = re.compile(r"`([^`]+?)(?:::([^`\[]+)(?:\[([A-Z]\d+)\])?)?`")
TESTED = re.compile(r"not (?:handled|yet):.*", re.S)


def rows(markdown):
    for line in markdown.splitlines():
        if re.match(r"\| [A-Z]\d+ \|", line):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]


def python_names(text):
    return {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def has(path, name, parameters, text):
    """@param text of the file"""
    if name is None:
        return True
    if path.endswith(".md"):
        return any(line.startswith(f"| {name} |") for line in text.splitlines())
    if path.endswith(".cpp"):
        suite, _, test = name.partition(".")
        return re.search(rf"^TEST(?:_F|_P)?\({suite},\s*{test}\)", text, re.M) is not None
    return name in python_names(text) and (parameters is None or f'"{parameters} ' in text)


def problems(markdown, read):
    """@param read the text of a file, by a path as the table has it; None when there is none"""
    seen = []
    for cells in rows(markdown):
        name = cells[0]
        if len(cells) != 4 or not all(cells):
            yield f"{name}: {len(cells)} cells, or an empty one"
            continue
        shown = cells[3]
        seen.append(name)
        found = REFERENCE.findall(TESTED.sub("", shown))
        if not found and not REASON.search(shown):
            yield f"{name}: neither a test nor a reason"
        for path, test, parameters in found:
            text = read(path)
            if text is None:
                yield f"{name}: there is no {path}"
            elif not has(path, test or None, parameters or None, text):
                yield f"{name}: {path} has no {test}{f' for {parameters}' if parameters else ''}"
    wanted = []
    for section in SECTIONS:
        said = re.search(rf"^## .*\({section}1 to {section}(\d+)\)$", markdown, re.M)
        if said is None:
            yield f"no section ({section}1 to ...)"
        else:
            wanted += [f"{section}{i}" for i in range(1, int(said[1]) + 1)]
    if seen != wanted:
        yield f"rows that are missing: {[one for one in wanted if one not in seen]}, not in a heading, twice or out of order: " \
              f"{[one for i, one in enumerate(seen) if one not in wanted or one in seen[:i]] or 'the order'}"


def reader(root):
    def read(path):
        folder = "tests/integration" if re.fullmatch(r"(test_\w+|conftest|harness/\w+)\.py", path) else "tests"
        for base in (root / folder, root):
            if (base / path).exists():
                return (base / path).read_text(encoding="utf-8") if (base / path).is_file() else ""
        return None
    return read


def self_test():
    files = {"test_a.py": 'CASES = {"F1 x": 1, **{f"F2 {v}": v for v in "a"}}\ndef test_one(lab): pass\n', "unit/b_test.cpp": "TEST(Suite, Name) {\n}\nTEST_F(Other, More) {}\n",
             "FAULTS.md": "| says nothing | 504 |", "bench/soak": ""}
    heads = "".join(f"## X ({section}1 to {section}1)\n\n| {section}1 | a | b | ROW |\n" for section in SECTIONS)
    good = ["`test_a.py::test_one`", "`test_a.py::test_one[F1]`, `test_a.py::test_one[F2]`", "`unit/b_test.cpp::Suite.Name`, `unit/b_test.cpp::Other.More`",
            "`FAULTS.md::says nothing`", "`bench/soak`", "not handled: nobody asks for it", "not yet: reload", "`bench/soak`; not handled: `what` is no test"]
    bad = ["`test_a.py::test_two`", "`test_b.py::test_one`", "`test_a.py::test_one[F3]`", "`unit/b_test.cpp::Suite.More`", "`FAULTS.md::says`", "`bench/soap`",
           "not handled:", "well", "not handled", "`test_a.py::test_one` | more"]
    for row in good:
        found = list(problems(heads.replace("ROW", row), files.get))
        assert not found, (row, found)
    for row in bad:
        assert list(problems(heads.replace("ROW", row, 1).replace("ROW", good[0]), files.get)), row
    whole = heads.replace("ROW", good[0])
    for wrong in (whole.replace("F1 to F1", "F1 to F2"), whole.replace("| T1 |", "| F1 |"), whole.replace("(O1 to O1)", ""), whole + "| O2 | a | b | `bench/soak` |\n",
                  whole.replace("| A1 | a | b |", "| A1 | a |")):
        assert list(problems(wrong, files.get)), wrong
    print("self-test: passed")


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    root = pathlib.Path(sys.argv[1])
    found = list(problems((root / "tests/RELIABILITY.md").read_text(encoding="utf-8"), reader(root)))
    for problem in found:
        print(problem)
    sys.exit(bool(found))


main()
