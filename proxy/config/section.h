// A section of the file as a table: the keys that it knows, each with the function that reads its value. A key is known
// exactly when something reads it, unknown ones are reported with the nearest name or the section that has them, and the same tables tell the tests
// which keys config/README.md and config/full.yaml have to show (keys.h).
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/value.h"

namespace tidegate::config {

using In = const Value&;  ///< keeps a line of a table a line

template <class T>
struct Field {
  std::string_view name;
  void (*read)(const Value&, T&);
  bool required = false;
};

template <class T>
struct Section {
  std::string_view path;  ///< "routes[].match", "clusters.NAME", "" for the top
  std::span<const Field<T>> fields;

  void append_keys(std::vector<std::string>& out) const {
    for (const Field<T>& field : fields) {
      out.push_back(path.empty() ? std::string(field.name) : std::string(path) + '.' + std::string(field.name));
    }
  }
};

/// Unknown, known in another section, or known to a later version.
/// @return the key of this section that was meant, or that what was meant is below; empty when nobody knows
std::string fail_unknown_key(const Value& value, const Entry& entry, std::string_view section,
                      std::span<const std::string_view> known);

/// Reads every key of a mapping into `out`, in the order of the file; false when the value is no mapping.
template <class T>
bool read_section(const Value& value, const Section<T>& section, T& out) {
  if (!value.is_map()) return false;
  std::vector<std::string> meant;  // a required key that is only misspelt is one problem, not two
  for (const Entry& entry : value.node().entries) {
    const auto field = std::find_if(section.fields.begin(), section.fields.end(),
                                    [&](const Field<T>& f) { return f.name == entry.key.text; });
    if (field != section.fields.end()) {
      field->read(value.child(entry), out);
      continue;
    }
    std::vector<std::string_view> known;
    for (const Field<T>& f : section.fields) known.push_back(f.name);
    meant.push_back(fail_unknown_key(value, entry, section.path, known));
  }
  for (const Field<T>& field : section.fields) {
    const bool missing = field.required && !value.has(field.name);
    if (missing && std::find(meant.begin(), meant.end(), field.name) == meant.end()) value.fail(in_quotes(field.name) + " is missing");
  }
  return true;
}

}  // namespace tidegate::config
