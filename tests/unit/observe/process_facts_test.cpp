#include "observe/process_facts.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace tidegate::observe {
namespace {

constexpr std::string_view kRest =
    " S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 7 0 12345 104857600 2560 18446744073709551615 1 1 0";

TEST(ProcessFacts, ReadTheFieldsOfProc) {
  const auto stat = parse_process_stat("42 (tidegate)" + std::string(kRest), 100.0, 4096);
  ASSERT_TRUE(stat);
  EXPECT_DOUBLE_EQ(stat->cpu_seconds, 3.0);
  EXPECT_EQ(stat->threads, 7u);
  EXPECT_EQ(stat->virtual_bytes, 104857600u);
  EXPECT_EQ(stat->resident_bytes, 2560u * 4096u);
}

TEST(ProcessFacts, ANameWithBlanksAndParenthesesMovesNoField) {
  const auto stat = parse_process_stat("42 (a) b (c))" + std::string(kRest), 100.0, 4096);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->threads, 7u);
}

TEST(ProcessFacts, ALineThatIsNotOneIsRefused) {
  for (const std::string line : {"", "42", "42 (tidegate)", "42 (tidegate) S 1 2 3",
                                 "42 (tidegate) S 1 42 42 0 -1 4194560 100 0 0 0 x 50 0 0 20 0 7 0 12345 1 2"}) {
    EXPECT_FALSE(parse_process_stat(line, 100.0, 4096)) << line;
  }
}

TEST(ProcessFacts, AreThoseOfThisProcess) {
  const auto stat = read_process_stat();
  ASSERT_TRUE(stat);
  EXPECT_GE(stat->threads, 1u);
  EXPECT_GT(stat->resident_bytes, 1'000'000u);
  EXPECT_GE(stat->virtual_bytes, stat->resident_bytes);
  ASSERT_TRUE(descriptor_limit());
  EXPECT_GT(*descriptor_limit(), 2.0);
}

TEST(ProcessFacts, EveryOpenDescriptorIsCounted) {
  const auto before = count_open_descriptors();
  ASSERT_TRUE(before);
  const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(count_open_descriptors(), *before + 1);
  ::close(descriptor);
  EXPECT_EQ(count_open_descriptors(), before);
}

}  // namespace
}  // namespace tidegate::observe
