#include "config/problem.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "config/limits.h"

namespace tidegate::config {

std::string to_string(const Problem& problem) {
  std::string out = problem.file;
  if (problem.line > 0) out += ':' + std::to_string(problem.line) + ':' + std::to_string(problem.column);
  out += ": ";
  if (problem.severity == Severity::Warning) out += "warning: ";
  if (!problem.path.empty()) out += problem.path + ": ";
  return out + problem.message;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShown = 60;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::size_t end = std::min(text.size(), kShown);
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  std::string out = "\"";
  for (const char c : text.substr(0, end)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      ((out += "\\x") += kHex[byte >> 4]) += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + (end < text.size() ? "...\"" : "\"");
}

void Problems::error(Position at, std::string path, std::string message) {
  has_error_ = true;
  add(at, std::move(path), std::move(message), Severity::Error);
}

void Problems::warning(Position at, std::string path, std::string message) {
  add(at, std::move(path), std::move(message), Severity::Warning);
}

void Problems::add(Position at, std::string path, std::string message, Severity severity) {
  if (all_.size() == kProblems) {
    ++left_out_;
    return;
  }
  all_.push_back({file_, at.line, at.column, std::move(path), std::move(message), severity});
}

std::vector<Problem> Problems::take_sorted() && {
  std::stable_sort(all_.begin(), all_.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  if (left_out_ > 0) {
    const Severity severity = has_error_ ? Severity::Error : Severity::Warning;
    all_.push_back({file_, 0, 0, "", "and " + std::to_string(left_out_) + " more problems", severity});
  }
  return std::move(all_);
}

}  // namespace tidegate::config
