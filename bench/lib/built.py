"""The bench's own programs in C++: those that CMake built beside Tidegate (TIDEGATE_BENCH=ON) are taken, else each is built with
g++ into build/bench/ when it is needed."""

import os
import shutil
import subprocess

from peers import program
from processes import NotStarted

BUILD_SECONDS = 120


class Program:
    def __init__(self, name, target, libraries=()):
        """bench/NAME/NAME.cpp, and what CMake calls it."""
        self.source = os.path.join(program.ROOT, "bench", name, f"{name}.cpp")
        self.own = os.path.join(program.ROOT, "build", "bench", name)
        self.target, self.libraries = target, libraries

    def path(self):
        beside = os.path.join(os.path.dirname(program.tidegate()), self.target)
        return beside if self.fresh(beside) else self.own

    def missing(self):
        return None if self.fresh(self.path()) or shutil.which("g++") else "no g++ to build it: apt-get install g++"

    def fresh(self, path):
        """Whether a program is there that is not older than its source."""
        return os.access(path, os.X_OK) and os.path.getmtime(path) >= os.path.getmtime(self.source)

    def ready(self):
        """Its path, once it is built."""
        path = self.path()
        if not self.fresh(path):
            self.build(path)
        return path

    def build(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        done = subprocess.run(["g++", "-std=c++20", "-O2", "-o", path, self.source, *self.libraries], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=BUILD_SECONDS, check=False)
        if done.returncode:
            raise NotStarted(f"{self.source} can't be built:\n{done.stdout}")
