#include "gate/budget.h"

#include <gtest/gtest.h>

namespace tidegate::gate {
namespace {

constexpr double kDay = 86'400.0;

double spend_for(Budget& budget, double seconds, double dt_s = 0.1) {
  double spent = 0.0;
  const auto ticks = static_cast<long>(seconds / dt_s + 0.5);
  for (long i = 0; i < ticks; ++i) spent += budget.spend(dt_s);
  return spent;
}

TEST(Budget, ADayWithTenStepsSpendsExactlyAllOfIt) {
  Budget budget(kDay);
  double spent = 0.0;
  for (int step = 0; step < 10; ++step) {
    budget.step();
    spent += spend_for(budget, kDay / 10);
  }
  EXPECT_NEAR(spent, 1.0, 1e-6);
}

TEST(Budget, TheEleventhStepOfADayGetsNothingExtra) {
  Budget budget(kDay);
  for (int step = 0; step < 10; ++step) {
    budget.step();
    spend_for(budget, 60);
  }
  budget.step();
  EXPECT_NEAR(spend_for(budget, 60), 60 * 0.5 / kDay, 1e-12);
}

TEST(Budget, ThePeriodSlidesSoThatStepsComeBackOneByOne) {
  Budget budget(kDay);
  for (int step = 0; step < 10; ++step) {
    budget.step();
    spend_for(budget, 3600, 1.0);
  }
  spend_for(budget, kDay - 10 * 3600, 1.0);  // the first step is a day old now, the second is not
  budget.step();
  EXPECT_GT(spend_for(budget, 60), 0.05);
  budget.step();
  EXPECT_LT(spend_for(budget, 60), 0.001);
}

TEST(Budget, ALateTickIsPaidForTheRestOfTheFirstMinuteOnly) {
  Budget budget(kDay);
  budget.step();
  EXPECT_NEAR(budget.spend(3600), 3600 * 0.5 / kDay + 0.05, 1e-12);
  EXPECT_NEAR(budget.spend(1), 0.5 / kDay, 1e-12);
}

}  // namespace
}  // namespace tidegate::gate
