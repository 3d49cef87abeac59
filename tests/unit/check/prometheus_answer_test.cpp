#include "check/prometheus_answer.h"

#include <gtest/gtest.h>

namespace tidegate::check {
namespace {

using gate::Verdict;
using outbound::Error;

const Bounds kAtMost{std::nullopt, 0.01};
const Bounds kAtLeast{0.99, std::nullopt};

std::string vector_of(const std::string& series) {
  return R"({"status":"success","data":{"resultType":"vector","result":[)" + series + "]}}";
}
std::string series(const std::string& labels, const std::string& value) {
  return R"({"metric":{)" + labels + R"(},"value":[1435781451.781,")" + value + R"("]})";
}
Answer judge(const std::string& body, const Bounds& bounds = kAtMost) {
  return prometheus_answer(200, "application/json", body, bounds);
}
Answer judge_value(const std::string& value, const Bounds& bounds = kAtMost) {
  return judge(vector_of(series("", value)), bounds);
}
void expect(const Answer& answer, Verdict verdict, const std::string& sentence) {
  EXPECT_EQ(answer.verdict, verdict) << answer.sentence;
  EXPECT_EQ(answer.sentence, sentence);
}

TEST(PrometheusAnswer, PassesWhenTheValueIsInside) {
  expect(judge_value("0.004"), Verdict::Pass, "the value is 0.004, at most 0.01 is wanted");
  expect(judge_value("0.995", kAtLeast), Verdict::Pass, "the value is 0.995, at least 0.99 is wanted");
  expect(judge_value("1", {0.5, 2.0}), Verdict::Pass, "the value is 1, from 0.5 to 2 is wanted");
  EXPECT_EQ(judge_value("0.01").verdict, Verdict::Pass) << "a bound is inside";
  EXPECT_EQ(judge_value("0.004").value, 0.004);
}

TEST(PrometheusAnswer, FailsWhenTheValueIsOutside) {
  expect(judge_value("0.03"), Verdict::Fail, "the value is 0.03, more than 0.01");
  expect(judge_value("0.5", kAtLeast), Verdict::Fail, "the value is 0.5, less than 0.99");
  expect(judge_value("0.1", {0.5, 2.0}), Verdict::Fail, "the value is 0.1, less than 0.5");
  expect(judge_value("3", {0.5, 2.0}), Verdict::Fail, "the value is 3, more than 2");
  EXPECT_EQ(judge_value("0.03").value, 0.03);
}

TEST(PrometheusAnswer, JudgesAScalarAsAVectorOfOne) {
  const std::string scalar = R"({"status":"success","data":{"resultType":"scalar","result":[1435781460.781,"1e-3"]}})";
  expect(judge(scalar), Verdict::Pass, "the value is 0.001, at most 0.01 is wanted");
}

TEST(PrometheusAnswer, EverySeriesMustBeInsideAndTheWorstIsNamed) {
  const std::string good = series(R"("__name__":"errors","job":"a")", "0.001");
  const std::string worse = series(R"("__name__":"errors","job":"b")", "0.009");
  const std::string bad = series(R"("__name__":"errors","job":"c","code":"500")", "0.02");
  const std::string worst = series(R"("job":"d")", "0.5");
  expect(judge(vector_of(good + "," + worse)), Verdict::Pass,
         "all 2 series are inside, the worst: errors{job=\"b\"} is 0.009, at most 0.01 is wanted");
  expect(judge(vector_of(good + "," + bad + "," + worse)), Verdict::Fail,
         "errors{job=\"c\",code=\"500\"} is 0.02, more than 0.01; 1 of 3 series are outside");
  expect(judge(vector_of(bad + "," + worst + "," + good)), Verdict::Fail,
         "{job=\"d\"} is 0.5, more than 0.01; 2 of 3 series are outside");
  EXPECT_EQ(judge(vector_of(bad + "," + worst)).value, 0.5);
}

TEST(PrometheusAnswer, LabelsAreCutAndStayOnTheirLine) {
  const Answer answer = judge(vector_of(series(R"("x":"a\nb)" + std::string(500, 'y') + '"', "1")));
  EXPECT_EQ(answer.sentence.find("{x=\"a byyy"), 0u) << answer.sentence;
  EXPECT_LT(answer.sentence.size(), 200u);
  EXPECT_NE(answer.sentence.find("yyy... is 1, more than 0.01"), std::string::npos) << answer.sentence;
}

TEST(PrometheusAnswer, NoDataIsNeverAPass) {
  expect(judge(vector_of("")), Verdict::Inconclusive, "no data: the result of the query is empty");
  expect(judge_value("NaN"), Verdict::Inconclusive, "no data: the value is NaN");
  const std::string good = series(R"("job":"a")", "0.001");
  const std::string none = series(R"("job":"b")", "NaN");
  const std::string bad = series(R"("job":"c")", "1");
  expect(judge(vector_of(good + "," + none)), Verdict::Inconclusive, "no data: {job=\"b\"} is NaN");
  EXPECT_EQ(judge(vector_of(none + "," + bad)).verdict, Verdict::Fail) << "what is outside is data";
}

TEST(PrometheusAnswer, InfinityIsOutsideAndWithoutABoundOnItsSideNoData) {
  expect(judge_value("+Inf"), Verdict::Fail, "the value is +Inf, more than 0.01");
  expect(judge_value("-Inf", kAtLeast), Verdict::Fail, "the value is -Inf, less than 0.99");
  expect(judge_value("+Inf", {0.5, 2.0}), Verdict::Fail, "the value is +Inf, more than 2");
  expect(judge_value("+Inf", kAtLeast), Verdict::Inconclusive, "no data: the value is +Inf");
  expect(judge_value("-Inf"), Verdict::Inconclusive, "no data: the value is -Inf");
}

TEST(PrometheusAnswer, QuotesPrometheusOwnError) {
  const std::string body =
      R"({"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error"})";
  expect(prometheus_answer(400, "application/json", body, kAtMost), Verdict::Error,
         "Prometheus says: bad_data: invalid parameter \"query\": 1:5: parse error");
  EXPECT_EQ(judge(body).verdict, Verdict::Error) << "whatever the status is";
  const Answer lengthy = judge(R"({"status":"error","error":")" + std::string(5000, 'x') + "\"}");
  EXPECT_LT(lengthy.sentence.size(), 400u);
}

TEST(PrometheusAnswer, OtherTypesAreErrors) {
  const std::string type = R"({"status":"success","data":{"resultType":")";
  expect(judge(type + R"(matrix","result":[{"metric":{},"values":[[1,"1"]]}]}})"), Verdict::Error,
         "the query gives a range (matrix), not one number a series: leave out the [..]");
  expect(judge(type + R"(string","result":[1,"x"]}})"), Verdict::Error, "the query gives a string, not a number");
  expect(judge(type + R"(vector","result":[{"metric":{},"histogram":[1,{}]}]}})"), Verdict::Error,
         "the query gives histograms, not numbers: take a quantile or a sum");
  expect(judge(type + R"(streams","result":[]}})"), Verdict::Error,
         "the answer is not Prometheus': its type is \"streams\"");
}

TEST(PrometheusAnswer, WhatIsNotPrometheusIsAnError) {
  const std::string page = "\n<!DOCTYPE html><title>Sign in</title>";
  expect(prometheus_answer(200, "text/html; charset=utf-8", page, kAtMost), Verdict::Error,
         "answered 200 with HTML, not JSON: is that the URL of Prometheus?");
  expect(prometheus_answer(502, "", page, kAtMost), Verdict::Error,
         "answered 502 with HTML, not JSON: is that the URL of Prometheus?");
  expect(prometheus_answer(302, "text/html", page, kAtMost), Verdict::Error,
         "answered 302 (a redirect, and redirects are not followed)");
  expect(prometheus_answer(401, "text/plain", "Unauthorized", kAtMost), Verdict::Error, "answered 401");
  expect(prometheus_answer(500, "application/json", vector_of(series("", "0")), kAtMost), Verdict::Error,
         "answered 500");
  EXPECT_EQ(judge("ok").sentence.find("the answer is not JSON: "), 0u);
  for (const char* body : {"{}", "[]", "1", "null", R"({"status":"success"})", R"({"status":"success","data":[]})",
                           R"({"status":"success","data":{"resultType":"vector"}})",
                           R"({"status":"success","data":{"resultType":"vector","result":{}}})",
                           R"({"status":"success","data":{"resultType":"vector","result":[1]}})",
                           R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}})",
                           R"({"status":"success","data":{"resultType":"scalar","result":[1]}})",
                           R"({"status":"success","data":{"resultType":"scalar","result":[1,2]}})",
                           R"({"data":{"resultType":"scalar","result":[1,"0"]}})", ""}) {
    EXPECT_EQ(judge(body).verdict, Verdict::Error) << body;
  }
  for (const char* value : {"", "1x", "one", " 1", "++1", "0x1"}) {
    EXPECT_EQ(judge_value(value).verdict, Verdict::Error) << value;
  }
}

TEST(PrometheusAnswer, PassesOnAWarning) {
  std::string body = vector_of(series("", "0"));
  body.insert(body.size() - 1, R"(,"warnings":["partial response","more"])");
  expect(judge(body), Verdict::Pass, "the value is 0, at most 0.01 is wanted (warning: partial response)");
}

TEST(PrometheusAnswer, NumbersTooLargeAreInfinite) {
  EXPECT_EQ(judge_value("1e999").verdict, Verdict::Fail);
  EXPECT_EQ(judge_value("1e-999").verdict, Verdict::Pass);
}

TEST(PrometheusAnswer, WithoutABoundNothingIsJudged) {
  expect(judge_value("0", {}), Verdict::Error, "the check has neither min nor max");
}

TEST(PrometheusAnswer, NoAnswerIsInconclusiveAndWhatCannotBecomeOneAnError) {
  const auto verdict = [](Error::Kind kind) {
    return prometheus_answer(outbound::Result(Error{kind, "why"}), kAtMost).verdict;
  };
  for (const auto kind : {Error::Kind::Resolve, Error::Kind::Connect, Error::Kind::Timeout, Error::Kind::Broken}) {
    EXPECT_EQ(verdict(kind), Verdict::Inconclusive);
  }
  for (const auto kind : {Error::Kind::Setup, Error::Kind::Tls, Error::Kind::NotHttp, Error::Kind::TooLarge}) {
    EXPECT_EQ(verdict(kind), Verdict::Error);
  }
  const outbound::Result late = Error{Error::Kind::Timeout, "no answer from http://p within 5 s"};
  expect(prometheus_answer(late, kAtMost), Verdict::Inconclusive, "no answer from http://p within 5 s");
}

}  // namespace
}  // namespace tidegate::check
