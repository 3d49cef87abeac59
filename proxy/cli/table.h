// Rows of cells, aligned: each column as wide as its widest cell, two spaces between, nothing behind the last. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tidegate::cli {

class Table {
 public:
  enum class Align { Left, Right };

  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}

  /// Cells may carry colors. Missing ones are empty.
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// Every line begins with `indent` spaces and ends with a line end.
  std::string text(std::size_t indent = 0) const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace tidegate::cli
