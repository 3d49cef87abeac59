// The file of admin.token_file: who may use the admin API. A line is `TOKEN [ROLE [NAME]]`; empty lines and those that begin
// with # are skipped. A token alone is an admin's. Messages name file and line and never show a token, nor a word that could be
// a part of one.
//
// parse_tokens() is pure. Who re-reads the file while the program runs is the composition root (app_admin.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::config {

/// Each may do what those before it may.
enum class Role : std::uint8_t {
  Viewer,    ///< look
  Operator,  ///< and change what routes do
  Admin,     ///< and everything else
};
std::string_view name(Role role) noexcept;

struct Token {
  std::string secret;
  Role role = Role::Admin;
  std::string name{};  ///< whom decisions name; the role's where the line has none
  bool operator==(const Token&) const = default;
};

struct TokenFile {
  std::vector<Token> tokens;
  std::vector<std::string> errors;    ///< not empty: the tokens are not to be used
  std::vector<std::string> warnings;
};

/// @param file for the messages
TokenFile parse_tokens(std::string_view text, const std::string& file);

/// Waits when it is a pipe that nobody has written into yet.
TokenFile load_tokens(const std::string& file);
/// The same, but what can be read only once is left for the start: a pipe gives no tokens, and no errors.
TokenFile check_tokens(const std::string& file);
/// Neither a pipe nor a device nor missing: it can be read again.
bool is_token_file_lasting(const std::string& file) noexcept;

/// Who decides, of Tidegate itself: no person may sign so.
bool is_own_actor(std::string_view name) noexcept;

}  // namespace tidegate::config
