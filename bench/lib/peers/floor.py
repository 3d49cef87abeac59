"""The floor: a bare epoll loop that copies bytes (bench/floor/floor.cpp). It is what sockets cost without a proxy's work.

The program that CMake built beside Tidegate is taken (TIDEGATE_BENCH=ON), else one is built into build/bench/."""

import os
import shutil
import subprocess

from peers import program
from processes import NotStarted, answers

SOURCE = os.path.join(program.ROOT, "bench", "floor", "floor.cpp")
BUILD_SECONDS = 120


class Floor:
    name = "floor"
    optional = True
    splits_requests = False

    def __init__(self):
        built = os.path.join(os.path.dirname(program.tidegate()), "bench_floor")
        own = os.path.join(program.ROOT, "build", "bench", "floor")
        self.program = built if fresh(built) else own

    def missing(self):
        return None if fresh(self.program) or shutil.which("g++") else "no g++ to build it: apt-get install g++"

    def version(self):
        return "of this tree"

    def start(self, processes, scenario, old, new, cpu):
        if not fresh(self.program):
            build(self.program)
        home = processes.home(f"floor-{scenario.name}")
        port = processes.free_port()
        process = processes.start(home, [self.program, str(port), str(old), str(new), str(scenario.weight)], cpu)
        processes.wait_for(process, lambda: answers(port))
        return process, port


def fresh(path):
    """Whether a program is there that is not older than its source."""
    return os.access(path, os.X_OK) and os.path.getmtime(path) >= os.path.getmtime(SOURCE)


def build(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    done = subprocess.run(["g++", "-std=c++20", "-O2", "-o", path, SOURCE], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode:
        raise NotStarted(f"{SOURCE} can't be built:\n{done.stdout}")
