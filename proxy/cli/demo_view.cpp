#include "cli/demo_view.h"

#include <algorithm>
#include <cstdio>
#include <ostream>

#include "cli/meter.h"

namespace tidegate::cli {

namespace {

constexpr std::size_t kBarCells = 40;
constexpr std::size_t kEventsShown = 10;

template <class... A>
std::string text(const char* format, A... values) {
  char out[256];
  std::snprintf(out, sizeof out, format, values...);
  return out;
}

std::string clock_text(double seconds) {
  const int whole = static_cast<int>(seconds);
  return text("%02d:%02d.%d", whole / 60, whole % 60, static_cast<int>(seconds * 10) % 10);
}

}  // namespace

DemoView::DemoView(Terminal& terminal, bool live, std::vector<std::string> title)
    : terminal_(terminal), live_(live), title_(std::move(title)) {
  for (const std::string& line : title_) terminal_.out << line << '\n';
  terminal_.out << std::flush;
}

std::string DemoView::bar(double share, Tone tone) const {
  return meter(kBarCells, share, tone, terminal_.color);
}

void DemoView::event(double seconds, const std::string& what, const std::string& detail) {
  const Tone tone = what == "REVERT" || what == "fault" ? Tone::Bad : what == "steady" ? Tone::Good : Tone::Bold;
  std::string head = what;
  head.resize(std::max<std::size_t>(head.size(), 7), ' ');
  const std::string line = clock_text(seconds) + "  " + paint(terminal_.color, tone, head) + " " +
                           (live_ ? wrapped(detail, 17, terminal_.columns) : detail);
  if (live_) {
    events_.push_back(line);
    draw(last_);
  } else {
    terminal_.out << line << std::endl;
  }
}

void DemoView::show(const DemoFacts& facts) {
  last_ = facts;
  if (live_) return draw(facts);
  if (facts.seconds - last_line_ < 1.0) return;
  last_line_ = facts.seconds;
  terminal_.out << clock_text(facts.seconds)
                << text("  traffic  new %.4g %%  old %3.0f/s  new %3.0f/s  clients: %llu answers, %llu errors", facts.weight,
                        facts.old_rate, facts.new_rate, static_cast<unsigned long long>(facts.answers),
                        static_cast<unsigned long long>(facts.errors))
                << std::endl;
}

void DemoView::draw(const DemoFacts& facts) {
  std::vector<std::string> lines;
  const double total = std::max(1.0, facts.old_rate + facts.new_rate);
  lines.push_back("");
  lines.push_back("  old " + bar(facts.old_rate / total, Tone::Plain) + text(" %4.0f/s", facts.old_rate));
  lines.push_back("  new " + bar(facts.new_rate / total, Tone::Good) +
                  text(" %4.0f/s  weight %.4g %%", facts.new_rate, facts.weight));
  lines.push_back("  gate" + bar(facts.evidence, Tone::Bad).insert(0, " ") +
                  (facts.latched ? paint(terminal_.color, Tone::Bad, "  SHUT") : text(" %4.0f %% of a revert", facts.evidence * 100)));
  lines.push_back(text("  clients saw %llu answers, ", static_cast<unsigned long long>(facts.answers)) +
                  paint(terminal_.color, facts.errors == 0 ? Tone::Good : Tone::Bad,
                        text("%llu errors", static_cast<unsigned long long>(facts.errors))));
  lines.push_back("  " + wrapped(facts.gate, 2, terminal_.columns));
  lines.push_back("");
  const std::size_t first = events_.size() > kEventsShown ? events_.size() - kEventsShown : 0;
  lines.insert(lines.end(), events_.begin() + static_cast<std::ptrdiff_t>(first), events_.end());

  std::string out;
  if (drawn_ > 0) out += "\x1b[" + std::to_string(drawn_) + "A";
  out += "\r\x1b[J";
  drawn_ = 0;
  for (const std::string& line : lines) {
    out += line + "\n";
    drawn_ += 1 + static_cast<std::size_t>(std::count(line.begin(), line.end(), '\n'));
  }
  terminal_.out << out << std::flush;
}

void DemoView::close() { terminal_.out << std::endl; }

}  // namespace tidegate::cli
