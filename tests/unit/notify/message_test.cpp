#include "notify/message.h"

#include "base/utc_text.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace tidegate::notify {
namespace {

Message message(Event event) {
  return {event, "api", "new failed 12 of 60 requests in 0.6 s, threshold 1 % & rising <fast>", "gate", 42,
          1'764'005'266'250, "25 %", "0 %"};
}

TEST(NotifyMessage, IsPlainJson) {
  EXPECT_EQ(boost::json::parse(json_body(message(Event::Reverted))), boost::json::parse(R"({
      "event": "reverted", "route": "api",
      "sentence": "new failed 12 of 60 requests in 0.6 s, threshold 1 % & rising <fast>",
      "actor": "gate", "epoch": 42, "at": "2025-11-24T17:27:46.250Z", "from": "25 %", "to": "0 %"})"));
  EXPECT_EQ(body(message(Event::Step), Format::Json), json_body(message(Event::Step)));
}

TEST(NotifyMessage, IsWhatSlackTakes) {
  EXPECT_EQ(boost::json::parse(slack_body(message(Event::Reverted))), boost::json::parse(R"({
      "text": "Tidegate: route api reverted",
      "attachments": [{
        "color": "danger",
        "fallback": "Tidegate: route api reverted: new failed 12 of 60 requests in 0.6 s, threshold 1 % &amp; rising &lt;fast&gt;",
        "text": "new failed 12 of 60 requests in 0.6 s, threshold 1 % &amp; rising &lt;fast&gt;",
        "fields": [{"title": "Weight of new", "value": "25 % -&gt; 0 %", "short": true},
                   {"title": "By", "value": "gate", "short": true},
                   {"title": "Epoch", "value": "42", "short": true}],
        "ts": 1764005266}]})"));
  EXPECT_EQ(body(message(Event::Step), Format::Slack), slack_body(message(Event::Step)));
}

TEST(NotifyMessage, SlackLeavesOutWhatIsNotKnown) {
  Message paused = message(Event::Paused);
  paused.from.clear();
  paused.to.clear();
  paused.actor.clear();
  const boost::json::value parsed = boost::json::parse(slack_body(paused));
  EXPECT_EQ(parsed.at("attachments").at(0).at("fields").as_array().size(), 1u);
}

TEST(NotifyMessage, ColorsByHowBadItIs) {
  const auto color = [](Event event) {
    const boost::json::value parsed = boost::json::parse(slack_body(message(event)));
    return std::string(parsed.at("attachments").at(0).at("color").as_string());
  };
  for (const auto event : {Event::Started, Event::Step, Event::Resumed, Event::Completed, Event::Rearmed}) {
    EXPECT_EQ(color(event), "good") << name(event);
  }
  for (const auto event : {Event::Paused, Event::Held, Event::Aborted}) EXPECT_EQ(color(event), "warning") << name(event);
  EXPECT_EQ(color(Event::Reverted), "danger");
}

TEST(NotifyMessage, EscapesSlacksThreeCharactersOnly) {
  EXPECT_EQ(escape_slack("a & <b> \"c\" &amp;"), "a &amp; &lt;b&gt; \"c\" &amp;amp;");
}

TEST(NotifyMessage, TimesAreUtcWithMilliseconds) {
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(utc_text(951'782'400'007), "2000-02-29T00:00:00.007Z");
  EXPECT_EQ(utc_text(-1), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace tidegate::notify
