#!/usr/bin/env python3
"""The wall clock jumps (NTP, a person, a suspended machine), so nothing may be decided, waited for or measured by it: it is read in
base/clock.h alone, for records that people read. A clock that is set back by an hour then changes no step, no gate and no time-out.

    wall_clock_is_for_people.py PROXY_FOLDER     exits 1 and names each line that reads it elsewhere
    wall_clock_is_for_people.py --self-test      checks that bad samples are found and good ones are not
"""
import pathlib
import re
import sys

ALLOWED = {"base/clock.h"}
READS = re.compile(r"system_clock|CLOCK_REALTIME|\bgettimeofday\b|\btimespec_get\b|(?<![\w.>])(?:std::|::)?time\((?:nullptr|NULL|0|&)"
                   r"|\bwall_clock_ms\(\)\s*[<>]|[<>]=?\s*wall_clock_ms\(\)")


def problems(name, text):
    if name in ALLOWED:
        return
    for number, line in enumerate(text.splitlines(), 1):
        code = line.split("//")[0]
        if READS.search(code):
            yield f"{name}:{number}: {code.strip()}"


def check(root):
    found, seen = [], 0
    for path in sorted(root.rglob("*")):
        if path.suffix in (".h", ".cpp"):
            seen += 1
            found += problems(str(path.relative_to(root)), path.read_text(encoding="utf-8"))
    assert seen > 100, f"only {seen} sources below {root}"
    return found


def self_test():
    bad = ["auto now = std::chrono::system_clock::now();", "clock_gettime(CLOCK_REALTIME, &now);", "const auto t = std::time(nullptr);",
           "if (wall_clock_ms() > end) stop();", "return end < wall_clock_ms();"]
    good = ["made.at_ms = wall_clock_ms();", "Clock::now()", "// not system_clock", "void time();", "const auto x = local_time(t);"]
    for line in bad:
        assert list(problems("control/a.cpp", line)), line
    for line in good:
        assert not list(problems("control/a.cpp", line)), line
    assert not list(problems("base/clock.h", bad[0]))
    print("self-test: passed")


def main(arguments):
    if arguments == ["--self-test"]:
        self_test()
        return 0
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    found = check(pathlib.Path(arguments[0]))
    print("\n".join(found) if found else "the wall clock is for people")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
