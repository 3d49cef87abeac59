// The command line: arguments in, exit code out. `run` and `demo` need the whole program, which is above this folder,
// so they come as functions from main.cpp. Prints results to standard output and everything else to standard error.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace tidegate::cli {

struct Actions {
  std::function<int(const std::string& config_path, bool watch)> run;
  std::function<int(const DemoOptions&)> demo;
  std::function<void()> take_rights_of_run{};  ///< before files are looked at: what run may not read is a problem; may be empty
};

int main(int argc, char** argv, const Actions& actions);

/// What main() does with what it found. @param arguments without the program's name.
int dispatch(std::vector<std::string> arguments, const Environment& environment,
             const std::function<Terminal(bool color)>& terminal, const Actions& actions);

}  // namespace tidegate::cli
