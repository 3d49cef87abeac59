#include "control/alarm.h"

#include <gtest/gtest.h>

namespace tidegate::control {
namespace {

TEST(AlarmEpisode, AnAlarmIsNewOnceHoweverOftenItIsRepeated) {
  AlarmEpisode alarm;
  EXPECT_FALSE(alarm.tick(false, 0.02));
  EXPECT_TRUE(alarm.tick(true, 0.02));
  for (int i = 0; i < 10'000; ++i) ASSERT_FALSE(alarm.tick(true, 0.02));
}

TEST(AlarmEpisode, OneThatComesBackWithinAMinuteIsTheSame) {
  AlarmEpisode alarm;
  ASSERT_TRUE(alarm.tick(true, 1.0));
  for (int i = 0; i < 59; ++i) ASSERT_FALSE(alarm.tick(false, 1.0));
  EXPECT_FALSE(alarm.tick(true, 1.0));
  for (int i = 0; i < 60; ++i) ASSERT_FALSE(alarm.tick(false, 1.0));
  EXPECT_TRUE(alarm.tick(true, 1.0));
}

TEST(AlarmEpisode, WhatStandsAtAnotherWeightIsAnotherAlarm) {
  AlarmEpisode alarm;
  ASSERT_TRUE(alarm.tick(true, 0.02));
  alarm.forget();
  EXPECT_TRUE(alarm.tick(true, 0.02));
}

TEST(RulingNews, TellsAnotherReasonOnceAndNotTheFirstObserving) {
  RulingNews news;
  EXPECT_FALSE(news.tick(gate::Reason::Observing, 0.02));
  EXPECT_TRUE(news.tick(gate::Reason::WorseThanOld, 0.02));
  EXPECT_FALSE(news.tick(gate::Reason::WorseThanOld, 0.02));
  EXPECT_TRUE(news.tick(gate::Reason::Observing, 0.02));
}

TEST(RulingNews, ReasonsThatAlternateAreToldOnceAMinute) {
  RulingNews news;
  int told = 0;
  for (int i = 0; i < 6'000; ++i) {  // ten minutes
    told += news.tick(i % 2 ? gate::Reason::NoData : gate::Reason::Observing, 0.1);
  }
  EXPECT_LE(told, 20);
  EXPECT_GE(told, 10);
}

TEST(RulingNews, AReasonThatLastsIsToldWhenItsMinuteIsOver) {
  RulingNews news;
  ASSERT_TRUE(news.tick(gate::Reason::SharedDegradation, 1.0));
  ASSERT_TRUE(news.tick(gate::Reason::Observing, 1.0));
  int waited = 0;
  while (!news.tick(gate::Reason::SharedDegradation, 1.0)) ASSERT_LT(++waited, 61);
  EXPECT_GE(waited, 55);
}

}  // namespace
}  // namespace tidegate::control
