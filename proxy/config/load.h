// A configuration file -> Config, or everything that is wrong with it. In order: text checks and YAML (parse.h), equal
// keys and ${ENV} (prepare.h), one function a section (sections.h), what spans sections (validate.h). Reads the file,
// the environment, the machine's CPU count and, for load_file(), the files that it names (check_files.h); nothing else: no
// name is resolved, no port bound, no file made.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/environment.h"
#include "config/problem.h"

namespace tidegate::config {

struct Loaded {
  std::optional<Config> config;   ///< only when there is no error
  std::vector<Problem> problems;  ///< by position; warnings may stand beside a config
};

/// Any thread; keeps nothing. `${NAME}` comes from the environment of the process.
Loaded load_file(const std::string& path);

/// Opens no other file. @param file_name  for messages, and for the default of state.path, which lies beside the file
Loaded load_text(std::string_view yaml, const std::string& file_name, const Environment& environment);

}  // namespace tidegate::config
