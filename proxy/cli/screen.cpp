#include "cli/screen.h"

#include <ostream>

namespace tidegate::cli {
namespace {

constexpr std::string_view kHome = "\033[H", kClearLine = "\033[K", kClearBelow = "\033[J", kClear = "\033[2J";
constexpr std::string_view kHideCursor = "\033[?25l", kShowCursor = "\033[?25h";

}  // namespace

std::string frame(std::string_view text, std::size_t rows) {
  std::string out(kHome);
  std::size_t lines = 0;
  for (const char c : text) {
    if (c == '\n') {
      out += kClearLine;
      if (++lines + 1 == rows) {  // the last row stays free: the cursor stands there
        out += c;
        break;
      }
    }
    out += c;
  }
  return out + std::string(kClearBelow);
}

Screen::Screen(std::ostream& out) : out_(out) { out_ << kHideCursor << kClear << std::flush; }
Screen::~Screen() { out_ << kShowCursor << std::flush; }

void Screen::draw(std::string_view text, std::size_t rows) { out_ << frame(text, rows) << std::flush; }

}  // namespace tidegate::cli
