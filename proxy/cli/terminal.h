// Where a verb reads and writes: streams and what they are connected to, so that tests give strings. Also colors and
// the width of texts. One for a process; the main thread.
#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace tidegate::cli {

struct Size {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

struct Terminal {
  std::ostream& out;
  std::ostream& err;
  std::istream& in;
  bool out_is_tty = false;
  bool in_is_tty = false;
  bool color = false;  ///< of `out`
  std::size_t columns = 80;
  std::function<Size()> measure{};  ///< what it is now; empty: it keeps its size

  Size size() const { return measure ? measure() : Size{columns}; }
};

/// How a view is drawn.
struct ViewStyle {
  bool color = false;
  std::size_t columns = 80;
};

/// The process's own streams. @param color what the options allow; a stream that is no terminal has none anyway.
Terminal process_terminal(bool color);

enum class Tone { Plain, Good, Bad, Warn, Dim, Bold };

/// `text` in that tone, or as it is where there are no colors.
std::string paint(bool color, Tone tone, std::string_view text);

/// Without control characters: what servers and operators wrote must not command the terminal.
std::string printable(std::string_view text);

/// Columns that the text takes: code points of UTF-8, without color sequences.
std::size_t width(std::string_view text) noexcept;

/// Broken at spaces to `columns`; lines after the first begin with `indent` spaces, which the first is taken to have.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns);

/// Cut to `columns`, the last of them "…" where something was cut off. Colors cost nothing and end with the text.
std::string clipped(std::string_view text, std::size_t columns);

/// "  gate    inconclusive - ...": a label, and from column `at` on the text, made printable and broken to the style's
/// width. Ends with a line end.
std::string labelled(std::string_view label, std::string_view text, std::size_t at, const ViewStyle& style,
                     Tone tone = Tone::Plain);

}  // namespace tidegate::cli
