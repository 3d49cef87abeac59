#include "config/token_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <unordered_map>

#include "config/file_access.h"
#include "config/limits.h"
#include "config/suggest.h"

namespace tidegate::config {
namespace {

constexpr std::array<std::string_view, 3> kRoles{"viewer", "operator", "admin"};

bool is_visible(std::string_view word) noexcept {
  return std::all_of(word.begin(), word.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

/// Of a line, without its end. A carriage return is a blank: files come from everywhere.
std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  std::vector<std::string_view> out;
  for (std::size_t at = line.find_first_not_of(kBlank); at != std::string_view::npos; at = line.find_first_not_of(kBlank, at)) {
    const std::size_t end = std::min(line.find_first_of(kBlank, at), line.size());
    out.push_back(line.substr(at, end - at));
    at = end;
  }
  return out;
}

/// A passphrase with blanks in it would be shown in part, so a word is only shown where a role was plainly meant.
std::string unknown_role(std::string_view word) {
  const std::string_view near = nearest(word, kRoles);
  const std::string which = near.empty() ? "unknown role" : "unknown role \"" + std::string(word) + '"';
  return which + ": after the token comes one of viewer, operator, admin" + did_you_mean(near);
}

class Reading {
 public:
  explicit Reading(const std::string& file) : file_(file) {}

  void take(std::string_view line) {
    ++line_;
    const std::vector<std::string_view> words = words_of(line);
    if (words.empty() || words.front().starts_with('#')) return;
    if (const std::string problem = take(words); !problem.empty()) out_.errors.push_back(here() + problem);
  }
  TokenFile end() {
    if (out_.tokens.empty() && out_.errors.empty()) out_.errors.push_back(file_ + ": holds no token");
    return std::move(out_);
  }

 private:
  std::string here() const { return file_ + ':' + std::to_string(line_) + ": "; }

  /// @return what is wrong; empty when nothing is.
  std::string take(const std::vector<std::string_view>& words) {
    const std::string_view secret = words[0];
    if (out_.tokens.size() == kTokens) return "more than " + std::to_string(kTokens) + " tokens";
    if (!is_visible(secret)) return "a token has visible ASCII signs only";
    if (secret.size() > kTokenBytes) return "a token is longer than " + std::to_string(kTokenBytes) + " bytes";
    if (words.size() > 3) return "more than TOKEN ROLE NAME";
    Token token{std::string(secret)};
    if (words.size() > 1) {
      const auto* const found = std::find(kRoles.begin(), kRoles.end(), words[1]);
      if (found == kRoles.end()) return unknown_role(words[1]);
      token.role = static_cast<Role>(found - kRoles.begin());
    }
    token.name = words.size() > 2 ? words[2] : name(token.role);
    if (!is_visible(token.name)) return "a name has visible ASCII signs only";
    if (token.name.size() > kNameBytes) return "a name is longer than " + std::to_string(kNameBytes) + " bytes";
    if (is_own_actor(token.name)) return "the name " + token.name + " is Tidegate's own";
    const auto [before, is_new] = lines_.emplace(token.secret, line_);
    if (!is_new) return "the token of line " + std::to_string(before->second) + " again";
    if (secret.size() < kGoodTokenBytes) {
      out_.warnings.push_back(here() + "the token has fewer than " + std::to_string(kGoodTokenBytes) +
                              " signs: it can be guessed (openssl rand -hex 16)");
    }
    out_.tokens.push_back(std::move(token));
    return {};
  }

  const std::string& file_;
  std::size_t line_ = 0;
  std::unordered_map<std::string, std::size_t> lines_;  // of each token
  TokenFile out_;
};

TokenFile failed(std::string why) { return {{}, {std::move(why)}, {}}; }

}  // namespace

std::string_view name(Role role) noexcept { return kRoles[static_cast<std::size_t>(role)]; }

bool is_own_actor(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 4> kOwn{"gate", "rollout", "file", "tidegate"};
  return std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end() || name.starts_with("check ");
}

TokenFile parse_tokens(std::string_view text, const std::string& file) {
  if (text.empty()) return failed(file + ": is empty");
  Reading reading(file);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    reading.take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return reading.end();
}

bool is_token_file_lasting(const std::string& file) noexcept {
  struct stat found{};
  return ::stat(file.c_str(), &found) == 0 && S_ISREG(found.st_mode);
}

TokenFile load_tokens(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(kTokenFileBytes + 1, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (!in.is_open())) return failed(file + ": cannot be read: " + std::strerror(errno));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kTokenFileBytes) return failed(file + ": is larger than " + std::to_string(kTokenFileBytes) + " bytes");
  TokenFile out = parse_tokens(text, file);
  struct stat found{};
  if (::stat(file.c_str(), &found) == 0 && S_ISREG(found.st_mode) && (found.st_mode & S_IROTH) != 0) {
    out.warnings.push_back(file + ": every user of this machine can read it (chmod 640)");
  }
  return out;
}

TokenFile check_tokens(const std::string& file) {
  if (const std::string problem = reading_problem(file); !problem.empty()) return failed(problem);
  return is_token_file_lasting(file) ? load_tokens(file) : TokenFile{};
}

}  // namespace tidegate::config
