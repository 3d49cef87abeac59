#include "cli/history_view.h"

#include <boost/json.hpp>
#include <ctime>

#include "cli/json_text.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace tidegate::cli {

namespace json = boost::json;

std::string local_time(std::int64_t wall_ms) {
  const std::time_t seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &local);
  return {text, size};
}

std::string history_view(const json::value& history) {
  const auto* decisions = at(history, {"decisions"}).if_array();
  if (decisions == nullptr || decisions->empty()) return "no decisions yet\n";
  using Align = Table::Align;
  Table table({Align::Left, Align::Right, Align::Left, Align::Left, Align::Left, Align::Left, Align::Left});
  table.row({"TIME", "EPOCH", "ROUTE", "ACTION", "FROM -> TO", "ACTOR", "REASON"});
  for (const json::value& one : *decisions) {
    const auto cell = [&one](std::string_view name) { return printable(plain_text(at(one, {name}))); };
    table.row({local_time(static_cast<std::int64_t>(number_at(one, {"at_ms"}))), cell("epoch"), cell("route"),
               cell("action"), cell("from") + " -> " + cell("to"), cell("actor"), cell("reason")});
  }
  return table.text();
}

}  // namespace tidegate::cli
