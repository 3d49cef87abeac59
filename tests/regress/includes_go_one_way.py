#!/usr/bin/env python3
"""The includes of proxy/ go one way, downward, and libraries stay in the folders that may know them (STYLE section 2).

    includes_go_one_way.py PROXY_FOLDER     exits 1 and names each line that breaks the rule
    includes_go_one_way.py --self-test      checks that bad samples are found and good ones are not
"""
import pathlib
import re
import sys
import tempfile

# What each folder may include besides itself. Files directly in proxy/ (main.cpp, app.cpp ...) are the composition root
# and may include every folder; no folder may include them.
BELOW = {
    "base": set(),
    "http": {"base"},
    "gate": {"base"},
    "rollout": {"base", "gate"},
    "net": {"base"},
    "h2": {"base", "http", "net"},
    "route": {"base", "http"},
    "observe": {"base", "http", "gate", "rollout", "route", "net"},
    "upstream": {"base", "http", "gate", "route", "net", "h2"},
    "mirror": {"base", "http", "gate", "route", "net", "h2", "observe", "upstream"},
    "forward": {"base", "http", "gate", "route", "net", "h2", "observe", "upstream", "mirror"},
    "outbound": {"base"},
    "check": {"base", "gate", "outbound"},
    "notify": {"base", "outbound"},
    "config": {"base", "http", "gate", "route", "net", "h2", "observe", "upstream", "mirror", "forward", "outbound", "check",
               "notify", "rollout"},
    "store": {"base", "http", "gate", "route", "net", "observe"},
    "control": {"base", "http", "gate", "route", "net", "observe", "upstream", "outbound", "check", "notify", "rollout", "config",
                "store"},
    "admin": {"base", "http", "gate", "route", "net", "observe", "upstream", "outbound", "check", "notify", "rollout",
              "config", "store", "control"},
    "cli": {"base", "http", "gate", "route", "net", "observe", "upstream", "outbound", "check", "notify", "rollout", "config", "store", "control",
            "admin"},
    "precompiled": set(),   # the build includes it, nobody else
}
# Which folders may see a library's headers; "" is the composition root.
LIBRARIES = [
    (re.compile(r"yaml-cpp/"), {"config"}),
    (re.compile(r"prometheus/"), {"observe"}),
    (re.compile(r"nghttp2/"), {"http"}),
    (re.compile(r"ares\.h"), {"upstream"}),
    (re.compile(r"openssl/(?!evp)"), {"net", "outbound"}),
    (re.compile(r"openssl/evp"), {"net", "outbound", "http"}),  # digests: a WebSocket's key
    (re.compile(r"boost/beast"), {"admin", "control", "store", "observe", "outbound", "precompiled"}),
    (re.compile(r"sqlite3"), {"store"}),
    (re.compile(r"CLI/"), {"cli"}),
]
SEPARATE_COMPILATION = "asio_beast.cpp"  # compiles Asio and Beast once, for all
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def problems_of(folder, name, lines):
    """Yields (line number, what is wrong) for a file called `name` in `folder` ("" = the root)."""
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(2)
        for library, allowed in LIBRARIES:
            if library.match(target) and folder not in allowed and name != SEPARATE_COMPILATION:
                yield number, f"<{target}> is for {', '.join(sorted(allowed))} only"
        if match.group(1) != '"' or folder == "":
            continue
        above, slash, _ = target.partition("/")
        if not slash:
            yield number, f'"{target}" is of the composition root: name the file with its folder'
        elif above not in BELOW:
            yield number, f'"{target}": {above}/ is not a folder of proxy/'
        elif above != folder and above not in BELOW[folder]:
            yield number, f'{folder}/ must not include "{target}"'


def check(root):
    found = []
    seen = 0
    for path in sorted(root.rglob("*")):
        if path.suffix not in (".h", ".cpp"):
            continue
        seen += 1
        parts = path.relative_to(root).parts
        folder = parts[0] if len(parts) > 1 else ""
        if folder and folder not in BELOW:
            found.append(f"{path}: {folder}/ is not known to this test: say what it may include")
            continue
        for number, what in problems_of(folder, path.name, path.read_text(encoding="utf-8").splitlines()):
            found.append(f"{path}:{number}: {what}")
    if seen == 0:
        found.append(f"{root}: no sources found")
    return found


def check_order():
    """The table itself has no circle."""
    for folder, below in BELOW.items():
        for other in below:
            assert folder not in BELOW[other], f"{folder} and {other} include each other"


def self_test():
    bad = {
        "base/a.h": ['#include "http/head.h"', "#include <openssl/ssl.h>"],
        "forward/a.cpp": ['#include "control/engine.h"', '#include "config/config.h"'],
        "control/a.cpp": ['  #  include "forward/worker.h"', "#include <yaml-cpp/yaml.h>"],
        "http/a.cpp": ["#include <boost/beast/http.hpp>", '#include "route/match.h"', '#include "app.h"'],
        "admin/a.cpp": ["#include <sqlite3.h>", "#include <prometheus/registry.h>", "#include <CLI/CLI.hpp>"],
        "net/a.cpp": ["#include <nghttp2/nghttp2.h>", "#include <ares.h>"],
        "helpers/a.h": ["#pragma once"],
        "main.cpp": ["#include <yaml-cpp/yaml.h>"],
    }
    good = {
        "route/a.h": ['#include "http/head.h"', '#include "base/side.h"', "#include <vector>", '// #include "forward/x.h"'],
        "forward/a.cpp": ['#include "mirror/mirror.h"', '#include "forward/x.h"'],
        "app.cpp": ['#include "forward/worker.h"', '#include "control/engine.h"', '#include "app.h"'],
        "asio_beast.cpp": ["#include <boost/beast/src.hpp>"],
        "config/a.cpp": ["#include <yaml-cpp/yaml.h>", '#include "forward/policy.h"'],
    }
    for samples, expected in ((bad, sum(map(len, bad.values()))), (good, 0)):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, lines in samples.items():
                path = root / name
                path.parent.mkdir(exist_ok=True)
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            found = check(root)
        assert len(found) == expected, f"expected {expected}, found {len(found)}:\n" + "\n".join(found)
    print("self-test: passed")


def main(arguments):
    check_order()
    if arguments == ["--self-test"]:
        self_test()
        return 0
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    found = check(pathlib.Path(arguments[0]))
    print("\n".join(found) if found else "includes go one way")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
