#include "config/environment.h"

#include <algorithm>
#include <cstdlib>

#include "config/limits.h"
#include "config/problem.h"
#include "config/text_rules.h"

namespace tidegate::config {
namespace {

bool is_variable_name(std::string_view name) {
  return !name.empty() && !is_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

/// @param inside  what stands between "${" and "}"
void append_variable(std::string_view inside, const Environment& environment, Expanded& out) {
  const std::size_t split = inside.find(":-");
  const std::string name(inside.substr(0, split));
  if (!is_variable_name(name)) {
    out.errors.push_back("${...} around " + in_quotes(name) + ", which names no variable; $${ stands for a literal ${");
    return;
  }
  const std::optional<std::string> value = environment(name);
  if (split != std::string_view::npos && (!value || value->empty())) {
    out.text += inside.substr(split + 2);
  } else if (!value) {
    out.errors.push_back("the environment variable " + name + " is not set; ${" + name +
                         ":-default} would give a default");
  } else if (value->size() > kScalarBytes || valid_utf8_prefix(*value) != value->size()) {
    out.errors.push_back("the environment variable " + name + " is too long or not UTF-8");
  } else {
    out.text += *value;
  }
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

Expanded expand(std::string_view text, const Environment& environment) {
  Expanded out;
  while (!text.empty() && out.text.size() <= kScalarBytes) {
    const std::size_t dollar = text.find("${");
    if (dollar == std::string_view::npos) {
      out.text += text;
      return out;
    }
    const bool escaped = dollar > 0 && text[dollar - 1] == '$';
    out.text += text.substr(0, escaped ? dollar - 1 : dollar);
    if (escaped) {
      out.text += "${";
      text.remove_prefix(dollar + 2);
      continue;
    }
    const std::size_t end = text.find('}', dollar);
    if (end == std::string_view::npos) {
      out.errors.push_back("\"${\" without \"}\"; $${ stands for a literal ${");
      return out;
    }
    append_variable(text.substr(dollar + 2, end - dollar - 2), environment, out);
    text.remove_prefix(end + 1);
  }
  if (out.text.size() > kScalarBytes) {
    out.errors.push_back("longer than " + std::to_string(kScalarBytes) + "B once expanded");
  }
  return out;
}

}  // namespace tidegate::config
