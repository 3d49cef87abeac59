#!/usr/bin/env python3
"""SECURITY.md says what is bounded, by which key or constant, and its default: the table has to say what config/README.md and the sources say.

    security_md_is_true.py ROOT      exits 1 and names each row that says something else
    security_md_is_true.py --self-test
"""
import pathlib
import re
import sys

UNITS = {"": 1, "KiB": 1024}


def rows(markdown, columns):
    """The cells of each row of tables with so many columns."""
    for line in markdown.splitlines():
        cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
        if line.startswith("|") and len(cells) == columns and not set(cells[0]) <= set("-|"):
            yield cells


def numbers(text):
    """"64 KiB" is [65536], "2000 and 100 a second" [2000, 100]."""
    return [int(number) * UNITS[unit or ""] for number, unit in re.findall(r"(\d+)(?: (KiB))?", text)]


def in_source(text, name):
    """The numbers that a constant or a member is made with."""
    found = re.search(rf"\b{name}(?: = ([^;]+);|\{{([^}}]+)\}};)", text)
    if found is None:
        return None
    values = (found[1] or found[2]).split(",")
    return [eval(re.sub(r"(?<=\d)u\b", "", value), {"__builtins__": {}}) for value in values]  # noqa: S307 - of our own sources


def problems(security, reference, read):
    """@param read the text of a header below proxy/"""
    defaults = {cells[0].strip("`"): cells[2].strip("`") for cells in rows(reference, 5)}
    seen = 0
    for _, bound, default, _ in rows(security, 4):
        for by in re.findall(r"^`([^`]+)`$", bound):
            seen += 1
            header, colon, name = by.partition(": ")
            if colon:
                if in_source(read(header), name) != numbers(default):
                    yield f"{by}: {default!r}, and the source has {in_source(read(header), name)}"
            elif defaults.get(by, "").split(",")[0].strip("`") != default.split(" (")[0]:
                yield f"{by}: {default!r}, and config/README.md has {defaults.get(by)!r}"
    if seen < 30:
        yield f"only {seen} rows"


def self_test():
    reference = "| `a.b` | size | `64KiB` | | x |\n| `a.c` | integer | 5 | | x |"
    source = "constexpr int kOne = 8 * 1024;\nH2Rate rate{2000, 100};\nstd::uint32_t some = 4u << 20;  ///< x"
    good = "| w | `a.b` | 64KiB | x |\n| w | `a.c` | 5 | x |\n| w | `h: kOne` | 8 KiB | x |\n| w | `h: rate` | 2000 and 100 a second | x |\n| w | `h: some` | 4096 KiB | x |"
    found = list(problems(good, reference, lambda _: source))
    assert found == ["only 5 rows"], found
    for bad in (good.replace("64KiB", "32KiB"), good.replace("8 KiB", "9 KiB"), good.replace("2000", "200"), good.replace("a.c", "a.d"), good.replace("kOne", "kTwo")):
        found = list(problems(bad, reference, lambda _: source))
        assert len(found) == 2, (bad, found)


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    root = pathlib.Path(sys.argv[1])
    found = list(problems((root / "SECURITY.md").read_text(encoding="utf-8"), (root / "config/README.md").read_text(encoding="utf-8"),
                          lambda header: (root / "proxy" / header).read_text(encoding="utf-8")))
    for problem in found:
        print(problem)
    sys.exit(bool(found))


main()
