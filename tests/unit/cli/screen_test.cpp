#include "cli/screen.h"

#include <gtest/gtest.h>

#include <csignal>
#include <sstream>

#include "cli/interrupt.h"
#include "cli/terminal.h"

namespace tidegate::cli {
namespace {

TEST(Screen, AFrameIsDrawnOverTheLastWithoutABlankInBetween) {
  EXPECT_EQ(frame("ab\nc\n"), "\033[Hab\033[K\nc\033[K\n\033[J");
}

TEST(Screen, AFrameNeverScrolls) { EXPECT_EQ(frame("1\n2\n3\n4\n", 3), "\033[H1\033[K\n2\033[K\n\033[J"); }

TEST(Screen, TheCursorComesBack) {
  std::ostringstream out;
  {
    Screen screen(out);
    screen.draw("x\n", 24);
    EXPECT_TRUE(out.str().starts_with("\033[?25l"));
    EXPECT_EQ(out.str().find("\033[?25h"), std::string::npos);
  }
  EXPECT_TRUE(out.str().ends_with("\033[?25h"));
}

TEST(Interrupts, ASignalIsNotedAndOnlyWhileTheyLive) {
  struct sigaction before{}, after{};
  ::sigaction(SIGINT, nullptr, &before);
  {
    const Interrupts interrupts;
    EXPECT_EQ(interrupts.signal(), 0);
    ::raise(SIGINT);
    EXPECT_EQ(interrupts.signal(), SIGINT);
  }
  ::sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(Clipped, CutsSignsAndNeitherBytesNorColors) {
  EXPECT_EQ(clipped("grün", 4), "grün");
  EXPECT_EQ(clipped("grüner", 4), "grü…");
  EXPECT_EQ(clipped("\033[31mabcdef\033[0m", 3), "\033[31mab…\033[0m");
  EXPECT_EQ(width(clipped("\033[31mab\033[0m cdef", 5)), 5u);
  EXPECT_EQ(clipped("abc", 1), "…");
}

}  // namespace
}  // namespace tidegate::cli
