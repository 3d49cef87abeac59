// The way to a key, "routes[0].match.headers.x-tenant", as steps, and the place in the file that it leads to. Checks
// that look at the finished structs (validate.cpp) name the path; the position is found in the tree afterwards.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "config/node.h"

namespace tidegate::config {

/// A key of a mapping or an index of a sequence. Borrows the key.
struct Step {
  // Implicit, so that a path reads {"routes", i, "old"}.
  Step(const char* name) : key(name) {}                    // NOLINT(google-explicit-constructor)
  Step(std::string_view name) : key(name) {}               // NOLINT(google-explicit-constructor)
  Step(const std::string& name) : key(name) {}             // NOLINT(google-explicit-constructor)
  Step(std::size_t item) : index(item), is_index(true) {}  // NOLINT(google-explicit-constructor)

  std::string_view key;
  std::size_t index = 0;
  bool is_index = false;
};

using Path = std::initializer_list<Step>;

/// Appends a step; a key that is not made of letters, digits and "-_." is shown quoted.
void append(std::string& path, const Step& step);
std::string to_string(Path path);

/// Where the path leads, or where its last existing part is when the rest is not in the file (a default).
Position locate(const Node& root, Path path);

}  // namespace tidegate::config
