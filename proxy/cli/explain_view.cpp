#include "cli/explain_view.h"

#include <array>
#include <boost/json.hpp>
#include <cstdio>

#include "cli/json_text.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/time_text.h"

namespace tidegate::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kLabel = 11;  // "  replayed "

std::string decimal(const json::value& value, const char* format) {
  if (!value.is_number()) return "-";
  char text[40];
  std::snprintf(text, sizeof text, format, value.to_number<double>());
  return text;
}

std::string failed_of(const json::value& counts, std::string_view side) {
  return plain_text(at(counts, {side, "failures"})) + " of " + plain_text(at(counts, {side, "requests"}));
}

/// What the decision counted; empty without a record.
std::string counts_table(const json::value& decision) {
  Table table(std::vector<Table::Align>(4, Table::Align::Left));
  bool any = false;
  const auto row = [&](const std::string& what, const json::value& counts, const json::value& seconds) {
    if (!counts.is_object()) return;
    if (!any) table.row({"counted", "new", "old", "in"});
    any = true;
    table.row({what, failed_of(counts, "new"), failed_of(counts, "old"), decimal(seconds, "%.2f s")});
  };
  const json::value& window = at(decision, {"record", "window"});
  const json::value& step = at(decision, {"record", "step"});
  row("since the alarm began", window, at(window, {"seconds"}));
  row("since the step began", step, at(step, {"seconds"}));
  const std::string stream = text_at(decision, {"record", "stream"});
  row("the deciding tick", at(decision, {"replay", "tick", stream}), at(decision, {"replay", "tick", "seconds"}));
  return any ? table.text(2) : "";
}

struct Evidence {
  std::string_view what;
  std::string_view statistic;
  std::string_view threshold;
};
constexpr std::array<Evidence, 4> kEvidence{{{"new too high", "s_new", "h_new"},
                                             {"old too high", "s_old", "h_old"},
                                             {"new worse than old", "s_rel", "h_rel"},
                                             {"new not worse", "s_prom", "h_prom"}}};

std::string evidence_table(const json::value& decision) {
  if (!at(decision, {"record", "thresholds"}).is_object()) return {};
  Table table(std::vector<Table::Align>(4, Table::Align::Left));
  table.row({"evidence", "before", "after", "proof at"});
  for (const Evidence& one : kEvidence) {
    table.row({std::string(one.what), decimal(at(decision, {"record", "statistics_before", one.statistic}), "%.2f"),
               decimal(at(decision, {"record", "statistics", one.statistic}), "%.2f"),
               decimal(at(decision, {"record", "thresholds", one.threshold}), "%.2f")});
  }
  return table.text(2);
}

/// The first requests that failed, when the record kept some.
std::string failures_table(const json::value& decision) {
  const auto* const all = at(decision, {"record", "failures"}).if_array();
  if (all == nullptr || all->empty()) return {};
  Table table(std::vector<Table::Align>(6, Table::Align::Left));
  table.row({"failed first", "request", "what", "after", "upstream", "request id"});
  for (const json::value& one : *all) {
    const std::string status = plain_text(at(one, {"status"}));
    const std::string why = text_at(one, {"why"});
    table.row({moment_text(static_cast<std::int64_t>(number_at(one, {"at_ms"}))),
               printable(text_at(one, {"method"}) + " " + text_at(one, {"path"})), why == "status" ? status : why,
               plain_text(at(one, {"after_ms"})) + " ms", printable(text_at(one, {"upstream"})),
               printable(text_at(one, {"request_id"}))});
  }
  return table.text(2);
}

std::string parameters(const json::value& decision) {
  std::string out;
  const auto* all = at(decision, {"record", "parameters"}).if_object();
  if (all == nullptr) return out;
  for (const auto& [name, value] : *all) {
    if (value.is_null()) continue;
    std::string text = plain_text(value);
    if (const auto* inner = value.if_object()) {
      text = "{";
      for (const auto& [key, of] : *inner) text += (text.size() > 1 ? ", " : "") + std::string(key) + ' ' + plain_text(of);
      text += '}';
    }
    out += (out.empty() ? "" : ", ") + std::string(name) + ' ' + text;
  }
  return out;
}

std::string replay_line(const json::value& decision, const ViewStyle& style) {
  const json::value& replay = at(decision, {"replay"});
  if (!true_at(replay, {"possible"})) {
    const bool damaged = at(replay, {"same"}).is_bool();
    return labelled("replay", text_at(replay, {"why"}), kLabel, style, damaged ? Tone::Bad : Tone::Dim);
  }
  const bool same = true_at(replay, {"same"});
  const std::string sentence = text_at(replay, {"sentence"});
  const bool said = sentence == text_at(decision, {"reason"});  // by the line "why"
  const std::string answer = text_at(replay, {"decision"}) + " (" + text_at(replay, {"reason"}) + ")" + (said ? "" : ", " + sentence);
  return labelled("replayed", answer, kLabel, style) +
         labelled("", same ? "same answer" : "another answer than the record's", kLabel, style,
                  same ? Tone::Good : Tone::Bad);
}

}  // namespace

std::string explain_view(const json::value& decision, const ViewStyle& style) {
  const auto text = [&decision](std::string_view name) { return plain_text(at(decision, {name})); };
  const std::string title = "decision " + text("epoch") + " of route " + text("route") + ": " + text("action") + " " +
                            text("from") + " -> " + text("to");
  std::string out = paint(style.color, Tone::Bold, printable(title)) + '\n';
  out += labelled("when", moment_text(static_cast<std::int64_t>(number_at(decision, {"at_ms"}))), kLabel, style);
  out += labelled("who", text("actor"), kLabel, style);
  out += labelled("why", text("reason").empty() ? "-" : text("reason"), kLabel, style);
  if (const json::value& gate = at(decision, {"record", "gate"}); gate.is_object()) {
    out += labelled("gate", text_at(gate, {"verdict"}) + " - " + text_at(gate, {"sentence"}), kLabel, style);
  }
  out += counts_table(decision) + evidence_table(decision) + failures_table(decision);
  if (const std::string all = parameters(decision); !all.empty()) out += labelled("set", all, kLabel, style);
  return out + replay_line(decision, style);
}

}  // namespace tidegate::cli
