#!/usr/bin/env python3
"""g++ 12.2 miscompiles two shapes of co_await (proxy/base/task.h, STYLE section 4); this finds them in the sources:

  1. co_await inside the parenthesised condition of if, while, for or switch: the Task is never started.
     `for (...) { co_await f(); }` and `if (ok) co_await f();` are fine: the await is outside the parentheses.
  2. a capturing lambda or a braced aggregate made inside a co_await expression: it is destroyed twice.

    no_await_in_condition.py FOLDER...      exits 1 and names each place
    no_await_in_condition.py --self-test    checks that bad samples are found and good ones are not
"""
import pathlib
import re
import sys

# Comments, string and character literals become blanks of the same shape, so that places keep their line.
LITERAL = re.compile(
    r'R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
    re.S)
CONDITION = re.compile(r"\b(if|while|for|switch)\s*(?:constexpr\s*)?\(")
AWAIT = re.compile(r"(?<!operator )\bco_await\b")
SPAN_OF_ONE = re.compile(r"\{&[\w.]+, 1\}")  # a std::span over one object: destroying it twice does nothing
LAMBDA = re.compile(r"\[\s*[^\[\]\s][^\[\]]*\]\s*(?=[({]|mutable\b|noexcept\b|->)")
AGGREGATE = re.compile(r"(?:[A-Za-z_][\w:]*(?:<[^<>;{}]*>)?|[(,])\s*\{")


def blank(text):
    return LITERAL.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def matching(text, at):
    """The place behind the bracket that closes the one at `at`."""
    depth = 0
    for place in range(at, len(text)):
        if text[place] in "([{":
            depth += 1
        elif text[place] in ")]}":
            depth -= 1
            if depth == 0:
                return place + 1
    return len(text)


def expression_end(text, at):
    """Where the expression that begins at `at` ends: an unmatched closing bracket, ',' or ';'. A '{' of a statement
    cannot follow, since co_await is not looked for in conditions twice."""
    place = at
    while place < len(text):
        if text[place] in "([{":
            place = matching(text, place)
        elif text[place] in ")]},;":
            return place
        else:
            place += 1
    return place


def problems_of(source):
    text = blank(source)
    line = lambda place: text.count("\n", 0, place) + 1
    found = []
    for condition in CONDITION.finditer(text):
        begin = condition.end() - 1
        inside = AWAIT.search(text, begin, matching(text, begin))
        if inside and not within_lambda(text, begin, inside.start()):
            found.append((line(inside.start()), f"co_await in the condition of '{condition.group(1)}': name the result first"))
    for wait in AWAIT.finditer(text):
        end = expression_end(text, wait.end())
        operand = SPAN_OF_ONE.sub("0", text[wait.end():end])
        if LAMBDA.search(operand):
            found.append((line(wait.start()), "a capturing lambda in a co_await expression: name it first"))
        elif AGGREGATE.search(operand):
            found.append((line(wait.start()), "a braced aggregate in a co_await expression: name it first"))
    return sorted(set(found))


def within_lambda(text, begin, place):
    """True when `place` is in the body of a lambda that began after `begin`: not evaluated as part of the condition."""
    depth = 0
    for at in range(place - 1, begin, -1):
        if text[at] == "}":
            depth += 1
        elif text[at] == "{":
            if depth == 0:
                return re.search(r"\]\s*(\([^{}]*\))?[^(){};]*$", text[begin:at]) is not None
            depth -= 1
    return False


BAD = [
    "if (co_await f()) g();",
    "if (const auto r = co_await f(); r.ok) g();",
    "if (\n    ready &&\n    co_await f(a,\n               b)) {\n}",
    "while (co_await next()) {}",
    "while (!done(co_await next())) {}",
    "for (auto x = co_await f(); x; ) {}",
    "for (; co_await f(); ) {}",
    "for (auto& x : co_await f()) {}",
    "switch (co_await f()) { default: break; }",
    "if constexpr (true) { if (co_await f()) {} }",
    "do { g(); } while (co_await f());",
    "co_await f([x] { return x; });",
    "co_await f([&]() mutable { return 1; });",
    "auto r = co_await f(1, [this](int a) { return a; });",
    "co_await f(Options{1, 2});",
    "co_await f({1, 2});",
    "co_await f(a, {.x = 1});",
    "co_await\n    f(std::vector<int>{1});",
    "co_return co_await f(net::Options{.a = 1});",
]
GOOD = [
    "const bool ok = co_await f(); if (ok) g();",
    "if (ok) co_await f();",
    "if (ok) {\n  co_await f();\n}",
    "for (int i = 0; i < 3; ++i) co_await f(i);",
    "while (true) { const auto r = co_await f(); if (r) break; }",
    "// if (co_await f()) is wrong\ng();",
    "/* co_await f([s]{}) */ g();",
    'log("if (co_await f())");',
    'log(R"(co_await f({1}))");',
    "auto g = [s] { return s; }; co_await f(std::move(g));",
    "co_await f(parts[0], limit);",
    "co_await f([] { return 1; });",
    "co_await stream.send({&part, 1}, limit);",
    "Awaiter operator co_await() && noexcept { return Awaiter{handle_}; }",
    "if (list.any([](auto& x) { return x; })) co_await f();",
    "const std::array<iovec, 1> parts{a}; const IoResult r = co_await s.send(parts, t);",
    "if (x > 1'000 && y) { co_await f(); }",
    "switch (kind) { case 1: co_await f(); break; }",
]


def self_test():
    for sample in BAD:
        assert problems_of(sample), f"not found: {sample}"
    for sample in GOOD:
        assert not problems_of(sample), f"found without reason: {sample}: {problems_of(sample)}"
    assert problems_of("\n\nif (x) {}\nif (a\n    && co_await f()) {}")[0][0] == 5, "wrong line"
    print(f"self-test: {len(BAD)} bad samples found, {len(GOOD)} good ones passed")


def main(arguments):
    if arguments == ["--self-test"]:
        self_test()
        return 0
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    files = [path for folder in arguments for path in sorted(pathlib.Path(folder).rglob("*")) if path.suffix in (".h", ".cpp")]
    found = 0
    for path in files:
        for number, what in problems_of(path.read_text(encoding="utf-8")):
            print(f"{path}:{number}: {what}")
            found += 1
    if not files:
        print("no sources found")
        return 1
    if not found:
        print(f"{len(files)} files: no co_await where g++ 12.2 would lose it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
