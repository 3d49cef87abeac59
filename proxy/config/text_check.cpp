#include "config/text_check.h"

#include <algorithm>
#include <string>

#include "config/limits.h"
#include "config/text_rules.h"

namespace tidegate::config {
namespace {

Position position_of(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(at - line_start) + 1};
}

bool check_characters(std::string_view text, Problems& problems) {
  const std::size_t utf8 = valid_utf8_prefix(text);
  if (utf8 < text.size()) {
    problems.error(position_of(text, utf8), "", "not UTF-8 from here on");
    return false;
  }
  const auto control = std::find_if(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7F;
  });
  if (control == text.end()) return true;
  problems.error(position_of(text, static_cast<std::size_t>(control - text.begin())), "",
                 *control == '\0' ? "NUL character" : "control character");
  return false;
}

/// YAML forbids tabs as indentation; the parser takes some for the start of a plain scalar instead of saying so.
bool check_indentation(std::string_view text, Problems& problems) {
  bool good = true;
  int line = 1;
  for (std::size_t from = 0; from < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    const std::string_view content = text.substr(from, end - from);
    const std::size_t indent = std::min(content.find_first_not_of(" \t\r"), content.size());
    const std::size_t tab = content.substr(0, indent).find('\t');
    if (tab != std::string_view::npos && indent < content.size() && content[indent] != '#') {
      problems.error({line, static_cast<int>(tab) + 1}, "", "tab in the indentation; YAML wants spaces");
      good = false;
    }
    from = end + 1;
  }
  return good;
}

}  // namespace

bool check_text(std::string_view text, Problems& problems) {
  if (text.size() > kFileBytes) {
    problems.error({}, "", "larger than " + std::to_string(kFileBytes >> 20) + "MiB");
    return false;
  }
  return check_characters(text, problems) && check_indentation(text, problems);
}

}  // namespace tidegate::config
