#include "config/unsupported.h"

#include <algorithm>
#include <array>

namespace tidegate::config {
namespace {

struct Key {
  std::string_view section;
  std::string_view name;
};

constexpr std::array kKeys{
    Key{"", "tracing"},
    Key{"routes[]", "sticky"},
    Key{"routes[]", "force"},
    Key{"routes[]", "writes"},
    Key{"routes[].rollout.steps[]", "cutover"},
    Key{"routes[].match.path", "regex"},
    Key{"routes[].match.headers.NAME", "regex"},
    Key{"routes[].mirror", "compare"},
    Key{"state", "endpoints"},
    Key{"state", "prefix"},
    Key{"state", "tls"},
    Key{"state", "user"},
};

/// A word for every value at a path that ends so; a word that ends in "*" stands for all that begin so.
struct Word {
  std::string_view path_end;
  std::string_view word;
};

constexpr std::array kWords{
    Word{"state.store", "etcd"},
};

bool matches(std::string_view pattern, std::string_view word) noexcept {
  if (pattern.ends_with('*')) return word.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == word;
}

/// "errors[3]" is a place that the table writes as "errors[]".
bool ends_with(std::string_view path, std::string_view end) noexcept {
  if (end.ends_with("[]")) {
    const std::size_t bracket = path.rfind('[');
    return path.ends_with(']') && path.substr(0, bracket).ends_with(end.substr(0, end.size() - 2));
  }
  return path.ends_with(end);
}

}  // namespace

bool is_unsupported_key(std::string_view section, std::string_view key) noexcept {
  return std::any_of(kKeys.begin(), kKeys.end(), [&](const Key& k) { return k.section == section && k.name == key; });
}

bool is_unsupported_value(std::string_view path, std::string_view word) noexcept {
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](const Word& w) { return ends_with(path, w.path_end) && matches(w.word, word); });
}

}  // namespace tidegate::config
