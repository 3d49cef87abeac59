// A picture that is drawn over itself: each frame is one write from the upper left corner, each line cleared to its end
// and what is below cleared at last, so that nothing is blank in between and nothing flickers. Main thread.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>

namespace tidegate::cli {

/// One frame, as bytes. What is longer than `rows` is cut: a picture that scrolls cannot be drawn over. 0 = no limit.
std::string frame(std::string_view text, std::size_t rows = 0);

/// Takes the terminal while it lives: an empty screen, no cursor. Its end gives the cursor back below the last frame.
class Screen {
 public:
  explicit Screen(std::ostream& out);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void draw(std::string_view text, std::size_t rows);

 private:
  std::ostream& out_;
};

}  // namespace tidegate::cli
