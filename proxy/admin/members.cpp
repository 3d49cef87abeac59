#include "admin/members.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>

#include "admin/error_response.h"
#include "admin/limits.h"

namespace tidegate::admin {

namespace json = boost::json;

/// Listens to Boost.JSON's parser. The library's own tree would keep the last of two equal members and say nothing.
class FlatObject {
 public:
  static constexpr std::size_t max_object_size = kMembers;
  static constexpr std::size_t max_array_size = 0;
  static constexpr std::size_t max_key_size = 100;
  static constexpr std::size_t max_string_size = 4096;

  FlatObject(Members& members, const std::vector<std::string_view>& known) : members_(members), known_(known) {}
  const std::string& problem() const noexcept { return problem_; }
  const std::string& field() const noexcept { return key_; }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code& error) {
    return depth_++ == 0 || refuse(key_ + " must be a number or a text, not an object", error);
  }
  bool on_object_end(std::size_t, json::error_code&) { return true; }
  bool on_array_begin(json::error_code& error) {
    return refuse(depth_ == 0 ? "the body must be a JSON object" : key_ + " must be a number or a text, not a list",
                  error);
  }
  bool on_array_end(std::size_t, json::error_code&) { return true; }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    partial_ += part;
    return true;
  }
  bool on_key(json::string_view rest, std::size_t, json::error_code& error) {
    key_ = std::exchange(partial_, {});
    key_ += rest;
    if (members_.find(key_) != nullptr) return refuse("member " + key_ + " is given twice", error);
    if (std::find(known_.begin(), known_.end(), key_) != known_.end()) return true;
    std::string names;
    for (const std::string_view name : known_) names += (names.empty() ? "" : ", ") + std::string(name);
    return refuse("unknown member " + key_ + (names.empty() ? "" : " (known: " + names + ")"), error);
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    partial_ += part;
    return true;
  }
  bool on_string(json::string_view rest, std::size_t, json::error_code& error) {
    std::string whole = std::exchange(partial_, {});
    whole += rest;
    return take(json::value(whole), error);
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t value, json::string_view, json::error_code& error) { return take(value, error); }
  bool on_uint64(std::uint64_t value, json::string_view, json::error_code& error) { return take(value, error); }
  bool on_double(double value, json::string_view, json::error_code& error) { return take(value, error); }
  bool on_bool(bool value, json::error_code& error) { return take(value, error); }
  bool on_null(json::error_code& error) { return take(nullptr, error); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  bool take(json::value value, json::error_code& error) {
    if (depth_ == 0) return refuse("the body must be a JSON object", error);
    members_.members_.emplace_back(key_, std::move(value));
    return true;
  }
  bool refuse(std::string problem, json::error_code& error) {
    problem_ = std::move(problem);
    error = json::error::syntax;
    return false;
  }

  Members& members_;
  const std::vector<std::string_view>& known_;
  std::size_t depth_ = 0;
  std::string partial_, key_, problem_;
};

const json::value* Members::find(std::string_view name) const noexcept {
  for (const auto& [key, value] : members_) {
    if (key == name) return &value;
  }
  return nullptr;
}

Members::Read Members::read(const std::string& body, const std::vector<std::string_view>& known) {
  Read out;
  if (body.empty()) return out;
  json::basic_parser<FlatObject> parser(json::parse_options(), out.members, known);
  json::error_code error;
  const std::size_t used = parser.write_some(false, body.data(), body.size(), error);
  if (!error && body.find_first_not_of(" \t\r\n", used) != std::string::npos) error = json::error::extra_data;
  if (!error) return out;
  const FlatObject& seen = parser.handler();
  out.refusal = seen.problem().empty() ? error_response(ErrorCode::Invalid,
                                                        "the body is not the JSON that is expected: " + error.message())
                                       : error_response(ErrorCode::Invalid, seen.problem(), seen.field());
  return out;
}

}  // namespace tidegate::admin
