// The token file from arbitrary bytes, held against a reading by streams: what is taken is what stands there, written anew it is
// read as the same, everything that is wrong names a line of the file, and no message shows a token.
#include <sstream>
#include <string>
#include <vector>

#include "config/token_file.h"
#include "input.h"

namespace tidegate::fuzz {
namespace {

using config::Role;
using config::Token;
using config::TokenFile;

std::vector<std::vector<std::string>> lines_of(const std::string& text) {
  std::vector<std::vector<std::string>> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string>& words = out.emplace_back();
    std::istringstream of(line);
    for (std::string word; of >> word;) words.push_back(word);
    if (!words.empty() && words.front().front() == '#') words.clear();
  }
  return out;
}

void check_taken(const TokenFile& read, const std::vector<std::vector<std::string>>& lines) {
  std::size_t at = 0;
  std::string anew;
  for (const std::vector<std::string>& words : lines) {
    if (words.empty()) continue;
    must(at < read.tokens.size(), "a line is missing");
    const Token& token = read.tokens[at++];
    must_equal(token.secret, words[0], "the token");
    must_equal(std::string(config::name(token.role)), words.size() > 1 ? words[1] : "admin", "the role");
    must_equal(token.name, words.size() > 2 ? words[2] : std::string(config::name(token.role)), "the name");
    anew += token.secret + ' ' + std::string(config::name(token.role)) + ' ' + token.name + '\n';
  }
  must(at == read.tokens.size() && at > 0, "a token that stands nowhere");
  must(config::parse_tokens(anew, "f").tokens == read.tokens, "written anew it is another");
}

void check_told(const std::string& message, const std::vector<std::vector<std::string>>& lines) {
  if (message.starts_with("f:") && message[2] != ' ') {
    const std::size_t line = std::stoul(message.substr(2));
    must(line >= 1 && line <= lines.size(), "a line that is not there");
  }
  for (const std::vector<std::string>& words : lines) {
    if (!words.empty() && words[0].size() >= 16) must(message.find(words[0]) == std::string::npos, "a token is shown");
  }
}

void run(const std::string& text) {
  const TokenFile read = config::parse_tokens(text, "f");
  const std::vector<std::vector<std::string>> lines = lines_of(text);
  if (read.errors.empty()) check_taken(read, lines);
  for (const std::string& message : read.errors) check_told(message, lines);
  for (const std::string& message : read.warnings) check_told(message, lines);
}

}  // namespace
}  // namespace tidegate::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  tidegate::fuzz::run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
