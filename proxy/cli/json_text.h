// JSON for eyes and for other readers: indented, and numbers written as people write them (25.5, not 2.55E1, which YAML
// 1.1 takes for a text). Also how the views look into an answer: what is missing is null, so that an older or newer
// server costs a cell and not the table. Pure.
#pragma once

#include <boost/json/value.hpp>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tidegate::cli {

/// Ends with a line end.
std::string pretty_json(const boost::json::value& value);

/// A scalar as text: null, true, 12, 0.5. Texts come without quotes.
std::string plain_text(const boost::json::value& value);

/// The value under a path of member names; null where there is none.
const boost::json::value& at(const boost::json::value& value, std::initializer_list<std::string_view> path);
/// Empty where there is no text.
std::string text_at(const boost::json::value& value, std::initializer_list<std::string_view> path);
bool true_at(const boost::json::value& value, std::initializer_list<std::string_view> path);
/// 0 where there is no number.
double number_at(const boost::json::value& value, std::initializer_list<std::string_view> path);

}  // namespace tidegate::cli
