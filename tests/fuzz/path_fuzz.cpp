// Paths from arbitrary targets, with every policy: what was normalised stays as it is, never grows, keeps its query, and means
// what it meant; after `remove` and `reject` no reading of it has a dot segment; what is refused is as it came.
//
// The last byte of an input picks the policy.
#include <algorithm>
#include <optional>

#include "http/grammar.h"
#include "http/path.h"
#include "input.h"

namespace tidegate::fuzz {
namespace {

using namespace http;

PathPolicy policy_of(unsigned char choices) {
  PathPolicy out;
  out.merge_slashes = (choices & 1) != 0;
  out.decode_unreserved = (choices & 2) != 0;
  out.dot_segments = static_cast<DotSegments>((choices >> 2) % 3);
  out.escaped_slashes = static_cast<EscapedSlashes>((choices >> 4) % 3);
  return out;
}

/// In memory of exactly its size. @return nothing when it is refused.
std::optional<std::string> normalised(const std::string& target, const PathPolicy& policy) {
  std::vector<char> memory(target.begin(), target.end());
  std::size_t size = memory.size();
  const Refusal refusal = normalise_target(memory.data(), size, policy);
  must(size <= target.size(), "it grew");
  must(!refusal || std::string(memory.begin(), memory.end()) == target, "a refused path was changed");
  if (refusal) return std::nullopt;
  return std::string(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(size));
}

std::string path_of(const std::string& target) { return target.substr(0, target.find('?')); }
std::string query_of(const std::string& target) { return target.substr(path_of(target).size()); }

int digit(char c) {
  const std::size_t at = std::string_view("0123456789abcdef").find(lower(c));
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

/// As the most lenient of servers reads it: everything decoded, a backslash is a slash.
std::string read_leniently(const std::string& path) {
  std::string out;
  for (std::size_t at = 0; at < path.size(); ++at) {
    char c = path[at];
    if (c == '%' && at + 2 < path.size() && digit(path[at + 1]) >= 0 && digit(path[at + 2]) >= 0) {
      c = static_cast<char>(digit(path[at + 1]) * 16 + digit(path[at + 2]));
      at += 2;
    }
    out += c == '\\' ? '/' : c;
  }
  return out;
}

std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> out(1);
  for (const char c : path.substr(1)) {
    if (c == '/') {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

/// RFC 3986 §5.2.4 on segments; merging first where that is wished.
std::string resolved(const std::string& path, bool merge) {
  std::vector<std::string> in = segments_of(path);
  std::vector<std::string> out;
  bool open = false;  // it ends in a slash
  for (std::size_t i = 0; i < in.size(); ++i) {
    const bool last = i + 1 == in.size();
    open = last && (in[i].empty() || in[i] == "." || in[i] == "..");
    if (in[i] == ".." && !out.empty()) out.pop_back();
    const bool gone = in[i] == "." || in[i] == ".." || (in[i].empty() && (merge || last));
    if (!gone) out.push_back(in[i]);
  }
  std::string text;
  for (const std::string& segment : out) text += '/' + segment;
  return open || text.empty() ? text + '/' : text;
}

/// One that divides segments for some servers only.
bool has_hidden_slash(std::string path, const PathPolicy& policy) {
  for (char& c : path) c = lower(c);
  const auto has = [&](const char* what) { return path.find(what) != std::string::npos; };
  return has("\\") || has("%5c") || (has("%2f") && policy.escaped_slashes != EscapedSlashes::Decode);
}

void check_dots(const std::string& path) {
  for (const std::string& segment : segments_of(read_leniently(path))) {
    const std::string name = segment.substr(0, segment.find(';'));
    must(name != "." && name != "..", "a dot segment for some servers");
  }
}

void check(const std::string& target, const PathPolicy& policy) {
  const std::optional<std::string> once = normalised(target, policy);
  if (has_plain_path(target)) must(once == target, "a plain path was changed");
  if (!once) return;
  must(once->front() == '/', "no slash at its front");
  must_equal(query_of(*once), query_of(target), "another query");
  must(normalised(*once, policy) == once, "not once and for all");
  const std::string path = path_of(*once);
  if (policy.merge_slashes) must(path.find("//") == std::string::npos, "an empty segment");
  if (policy.dot_segments != DotSegments::Keep) check_dots(path);
  if (policy.dot_segments == DotSegments::Remove && has_hidden_slash(path_of(target), policy)) return;  // it may mean two things
  const auto meaning = [&](const std::string& of) { return resolved(read_leniently(of), policy.merge_slashes); };
  must_equal(meaning(path), meaning(path_of(target)), "another meaning");
}

}  // namespace
}  // namespace tidegate::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tidegate::fuzz;
  const Input input(data, size);
  std::string target = "/";  // what the codecs let through
  for (const char c : input.bytes) {
    if (tidegate::http::is_target_char(c)) target += c;
  }
  check(target, policy_of(input.choices));
  return 0;
}
