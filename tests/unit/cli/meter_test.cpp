#include "cli/meter.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tidegate::cli {
namespace {

TEST(Meter, IsFilledToItsShare) {
  EXPECT_EQ(meter(4, 0.5, Tone::Plain, false), "██··");
  EXPECT_EQ(meter(4, 0.0, Tone::Plain, false), "····");
  EXPECT_EQ(meter(4, 1.0, Tone::Plain, false), "████");
  EXPECT_EQ(meter(0, 1.0, Tone::Plain, false), "");
}

TEST(Meter, FullMeansDone) { EXPECT_EQ(meter(4, 0.99, Tone::Plain, false), "███·"); }

TEST(Meter, AShareThatIsNoneIsCut) {
  EXPECT_EQ(meter(4, -1, Tone::Plain, false), "····");
  EXPECT_EQ(meter(4, 7, Tone::Plain, false), "████");
  EXPECT_EQ(meter(4, std::nan(""), Tone::Plain, false), "····");
}

TEST(Meter, APartIsTickedOffAndHasItsOwnFilling) {
  EXPECT_EQ(ticked_meter(8, 3, 1.5, Tone::Plain, false), "██|█·|··");
  EXPECT_EQ(ticked_meter(8, 3, 3, Tone::Plain, false), "██|██|██");
  EXPECT_EQ(ticked_meter(8, 1, 0.5, Tone::Plain, false), "████····");
}

TEST(Meter, EveryWidthIsKeptWhateverTheParts) {
  for (std::size_t cells = 0; cells < 40; ++cells) {
    for (std::size_t parts = 0; parts < 30; ++parts) {
      EXPECT_EQ(width(ticked_meter(cells, parts, 2.3, Tone::Good, true)), cells) << cells << ' ' << parts;
    }
  }
}

}  // namespace
}  // namespace tidegate::cli
