#include "cli/history_view.h"

#include <boost/json.hpp>

#include "cli/json_text.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/time_text.h"

namespace tidegate::cli {

namespace json = boost::json;

std::string history_view(const json::value& history) {
  const auto* decisions = at(history, {"decisions"}).if_array();
  if (decisions == nullptr || decisions->empty()) return "no decisions yet\n";
  using Align = Table::Align;
  Table table({Align::Left, Align::Right, Align::Left, Align::Left, Align::Left, Align::Left, Align::Left});
  table.row({"TIME", "EPOCH", "ROUTE", "ACTION", "FROM -> TO", "ACTOR", "REASON"});
  for (const json::value& one : *decisions) {
    const auto cell = [&one](std::string_view name) { return printable(plain_text(at(one, {name}))); };
    table.row({moment_text(static_cast<std::int64_t>(number_at(one, {"at_ms"}))), cell("epoch"), cell("route"),
               cell("action"), cell("from") + " -> " + cell("to"), cell("actor"), cell("reason")});
  }
  return table.text();
}

}  // namespace tidegate::cli
