#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>

namespace tidegate::cli {
namespace {

constexpr std::size_t kLeastColumns = 40;
constexpr std::size_t kLeastRows = 4;

/// A window that is too small to read, or says nothing, is drawn as one of the default size.
Size size_of(int descriptor) noexcept {
  winsize size{};
  Size out;
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0) return out;
  if (size.ws_col >= kLeastColumns) out.columns = size.ws_col;
  if (size.ws_row >= kLeastRows) out.rows = size.ws_row;
  return out;
}

}  // namespace

Terminal process_terminal(bool color) {
  const bool out_is_tty = ::isatty(STDOUT_FILENO) == 1;
  return {std::cout,
          std::cerr,
          std::cin,
          out_is_tty,
          ::isatty(STDIN_FILENO) == 1,
          color && out_is_tty,
          out_is_tty ? size_of(STDOUT_FILENO).columns : 80,
          out_is_tty ? std::function<Size()>([] { return size_of(STDOUT_FILENO); }) : nullptr};
}

std::string paint(bool color, Tone tone, std::string_view text) {
  static constexpr std::array<std::string_view, 6> kCodes{"",         "\033[32m", "\033[1;31m",
                                                          "\033[33m", "\033[2m",  "\033[1m"};
  if (!color || tone == Tone::Plain || text.empty()) return std::string(text);
  return std::string(kCodes[static_cast<std::size_t>(tone)]) + std::string(text) + "\033[0m";
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // C2 80..9F are the C1 controls in UTF-8; 9B among them begins a sequence as ESC [ does.
    const bool c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c1) ++i;
    out += c1 || byte < 0x20 || byte == 0x7f ? '?' : text[i];
  }
  return out;
}

std::size_t width(std::string_view text) noexcept {
  std::size_t out = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
      ++out;
    }
  }
  return out;
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns) {
  std::string out;
  std::size_t used = indent;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    const std::size_t wide = width(word);
    if (used > indent && used + 1 + wide > columns) {
      out += '\n' + std::string(indent, ' ');
      used = indent;
    } else if (used > indent) {
      out += ' ';
      ++used;
    }
    out += word;
    used += wide;
  }
  return out;
}

std::string clipped(std::string_view text, std::size_t columns) {
  if (width(text) <= columns) return std::string(text);
  std::string out;
  std::size_t used = 0;
  bool colored = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      const std::size_t end = std::min(text.find('m', i), text.size() - 1);
      out += text.substr(i, end + 1 - i);
      colored = !text.substr(i, end + 1 - i).ends_with("[0m");
      i = end;
      continue;
    }
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    if (begins && ++used >= columns) break;
    out += text[i];
  }
  if (columns > 0) out += "\u2026";
  return colored ? out + "\033[0m" : out;
}

std::string labelled(std::string_view label, std::string_view text, std::size_t at, const ViewStyle& style, Tone tone) {
  std::string out = "  " + std::string(label);
  out.resize(std::max(out.size() + 1, at), ' ');
  return out + paint(style.color, tone, wrapped(printable(text), at, style.columns)) + '\n';
}

}  // namespace tidegate::cli
