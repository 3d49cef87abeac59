// What an ended attempt means: for the gate, for the client, for the log.
#include "forward/outcome.h"

#include <gtest/gtest.h>

namespace tidegate::forward {
namespace {

constexpr Failure kAll[] = {Failure::None, Failure::Connect, Failure::Timeout, Failure::Reset,
                            Failure::Protocol, Failure::Status, Failure::Overflow, Failure::Canceled};

TEST(Outcome, OnlyServerErrorsCountAsErrorsOfASide) {
  gate::ErrorRule rule;
  rule.server_errors = true;
  for (const int status : {500, 502, 503, 504, 599}) EXPECT_TRUE(is_error(rule, static_cast<std::uint16_t>(status)));
  for (const int status : {100, 200, 204, 301, 304, 400, 401, 404, 408, 429, 499}) {
    EXPECT_FALSE(is_error(rule, static_cast<std::uint16_t>(status))) << status;
  }
  rule.server_errors = false;
  EXPECT_FALSE(is_error(rule, 500));
}

TEST(Outcome, TheGateCountsWhatTheRuleSays) {
  gate::ErrorRule none;
  none.server_errors = none.connect = none.timeout = none.reset = false;
  for (const Failure failure : kAll) EXPECT_EQ(counts_for_gate(none, failure), failure == Failure::Status) << name(failure);
  gate::ErrorRule rule = none;
  rule.connect = true;
  EXPECT_TRUE(counts_for_gate(rule, Failure::Connect));
  EXPECT_FALSE(counts_for_gate(rule, Failure::Reset));
  rule = none;
  rule.timeout = true;
  EXPECT_TRUE(counts_for_gate(rule, Failure::Timeout));
  EXPECT_FALSE(counts_for_gate(rule, Failure::Connect));
  rule = none;
  rule.reset = true;
  EXPECT_TRUE(counts_for_gate(rule, Failure::Reset));
  EXPECT_TRUE(counts_for_gate(rule, Failure::Protocol)) << "what is not HTTP is a broken answer";
}

TEST(Outcome, AGrpcStatusCountsByItsCode) {
  gate::ErrorRule rule;  // UNKNOWN, INTERNAL, UNAVAILABLE
  for (std::uint32_t code = 0; code <= gate::kHighestGrpcCode; ++code) {
    EXPECT_EQ(is_grpc_error(rule, code), code == 2 || code == 13 || code == 14) << code;
  }
  EXPECT_TRUE(is_grpc_error(rule, 17)) << "a status that gRPC does not have is UNKNOWN";
  EXPECT_TRUE(is_grpc_error(rule, 0xffffffff));
  rule.grpc = gate::grpc_bit(4);
  EXPECT_TRUE(is_grpc_error(rule, 4));
  EXPECT_FALSE(is_grpc_error(rule, 13));
  EXPECT_FALSE(is_grpc_error(rule, 17));
  rule.grpc = 0;
  for (std::uint32_t code = 0; code <= 20; ++code) EXPECT_FALSE(is_grpc_error(rule, code)) << code;
}

TEST(Outcome, TheGateNeverCountsWhatIsNobodysFault) {
  gate::ErrorRule rule;
  rule.server_errors = rule.connect = rule.timeout = rule.reset = true;
  for (const Failure failure : {Failure::None, Failure::Overflow, Failure::Canceled}) {
    EXPECT_FALSE(counts_for_gate(rule, failure)) << name(failure);
    EXPECT_FALSE(is_fault_of_side(failure)) << name(failure);
  }
}

TEST(Outcome, EveryFailureHasItsStatus) {
  for (const Failure failure : kAll) {
    const std::uint16_t expected = failure == Failure::Timeout ? 504 : failure == Failure::Overflow ? 503 : 502;
    EXPECT_EQ(reply_status(failure), expected) << name(failure);
    EXPECT_FALSE(reply_text(failure).empty());
  }
}

TEST(ResponseFlags, AreEnvoysShortWords) {
  const auto flags = [](Failure failure) { return response_flags(failure, false, true, true, false); };
  EXPECT_EQ(flags(Failure::None), "");
  EXPECT_EQ(flags(Failure::Connect), "UF");
  EXPECT_EQ(flags(Failure::Timeout), "UT");
  EXPECT_EQ(flags(Failure::Reset), "UC");
  EXPECT_EQ(flags(Failure::Protocol), "UPE");
  EXPECT_EQ(flags(Failure::Overflow), "UO");
  EXPECT_EQ(flags(Failure::Status), "");
}

TEST(ResponseFlags, TheClientsFaultComesFirst) {
  EXPECT_EQ(response_flags(Failure::Connect, true, true, false, false), "DPE");
  EXPECT_EQ(response_flags(Failure::Connect, true, true, true, true), "DPE");
  EXPECT_EQ(response_flags(Failure::Connect, true, true, true, false), "DC");
  EXPECT_EQ(response_flags(Failure::None, false, false, true, false), "NR");
}

}  // namespace
}  // namespace tidegate::forward
