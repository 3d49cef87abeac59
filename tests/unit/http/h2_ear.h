// Listens to an H2Session and writes down what it is told, one event a line, and answers in the simplest way:
//   "request 1: POST /a @h https frames cl:5 [a=b]"   "data 1: hello"   "end 1"   "closed 1: CANCEL by peer"
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "http/describe.h"
#include "http/every_way.h"
#include "http/h2_session.h"
#include "http/h2_wire.h"

namespace tidegate::http::test {

inline BlockPool& pool() {
  static BlockPool blocks;
  return blocks;
}

struct Body {
  std::string left;
  bool complete = false;
};

class Ear final : public H2Events {
 public:
  explicit Ear(H2Role role, const H2Limits& limits = {}, TimePoint at = {}) : now(at), session(role, limits, *this, pool(), at) {}

  bool feed(std::string_view bytes) { return session.feed(bytes, now); }
  void later(double by_seconds) {
    now += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(by_seconds));
  }
  /// Everything that there is to send.
  std::string produce(std::size_t most = 1 << 20) {
    out_.reserve(100'000);
    session.produce(out_, most);
    std::string bytes(out_.view());
    out_.clear();
    return bytes;
  }
  std::string sent(bool all = false) { return told_to_peer(produce(), all); }
  /// The events since the last time.
  std::string heard() { return std::exchange(log_, {}); }

  void respond(std::int32_t stream, int status = 200, const std::string& body = "ok", const std::vector<H2Field>& fields = {}) {
    bodies[stream] = {body, true};
    session.respond(stream, static_cast<std::uint16_t>(status), fields, body.empty());
  }
  std::int32_t request(const Fields& fields, bool ends = true) {
    std::vector<H2Field> views;
    for (const auto& [name, value] : fields) views.push_back({name, value});
    return session.request(views, ends);
  }

  void on_request(std::int32_t stream, RequestHead& head, Buffer& bytes, bool ends) override {
    std::string line(head.method_token);
    line += " " + std::string(head.target) + " @" + std::string(head.authority) + " " + std::string(head.scheme);
    if (!head.protocol.empty()) line += " protocol=" + std::string(head.protocol);
    EXPECT_EQ(head.framing, ends ? Framing::None : Framing::Frames);
    EXPECT_EQ(head.major_version, 2);
    EXPECT_EQ(head.minor_version, 0);
    EXPECT_TRUE(head.keep_alive);
    EXPECT_EQ(head.method, method_of(head.method_token));
    if (head.expects_continue) line += " continue";
    say("request", stream, line + tail(head.framing, head.has_content_length, head.content_length, head.fields));
    expect_lines(head.fields, bytes);
    if (ends) complete(stream);
  }
  void on_refused(std::int32_t stream, const Refusal& refusal) override {
    say("refused", stream, std::to_string(refusal.status) + " " + std::string(refusal.reason));
    if (answers_refusals) session.respond(stream, refusal.status, {}, true);
  }
  void on_response(std::int32_t stream, ResponseHead& head, Buffer& bytes, bool ends) override {
    EXPECT_EQ(head.major_version, 2);
    EXPECT_TRUE(!ends || head.framing == Framing::None);
    say("response", stream, std::to_string(head.status) + (ends ? " ends" : "") +
                                tail(head.framing, head.has_content_length, head.content_length, head.fields));
    expect_lines(head.fields, bytes);
  }
  void on_data(std::int32_t stream, std::string_view data) override {
    const std::string same = "data " + std::to_string(stream) + ": ";
    const std::size_t last = log_.rfind('\n', log_.size() < 2 ? std::string::npos : log_.size() - 2);
    const std::size_t line = last == std::string::npos ? 0 : last + 1;
    if (log_.compare(line, same.size(), same) == 0) {
      log_.pop_back();
      log_ += std::string(data) + "\n";
    } else {
      say("data", stream, data);
    }
    received += data.size();
    if (consumes) session.consumed(stream, data.size());
  }
  void on_trailers(std::int32_t stream, FieldList& fields, Buffer& bytes) override {
    say("trailers", stream, test::describe(fields));
    expect_lines(fields, bytes);
  }
  void on_end(std::int32_t stream) override {
    say("end", stream, "");
    complete(stream);
  }
  H2Pulled pull(std::int32_t stream, char* to, std::size_t most) override {
    Body& body = bodies[stream];
    const std::size_t bytes = std::min(most, body.left.size());
    std::copy_n(body.left.data(), bytes, to);
    body.left.erase(0, bytes);
    ++pulls;
    return {bytes, body.complete && body.left.empty()};
  }
  void on_closed(std::int32_t stream, H2Error code, bool by_peer, bool unprocessed) override {
    const std::string name = code_name(static_cast<std::uint32_t>(code));
    say("closed", stream, name + (by_peer ? " by peer" : "") + (unprocessed ? " unprocessed" : ""));
    ++closings[stream];
    EXPECT_EQ(closings[stream], 1);
  }
  void on_goaway() override { log_ += "goaway\n"; }
  void on_pong() override { log_ += "pong\n"; }
  void on_settings() override { ++settings; }
  void on_sent_end(std::int32_t) override {}

  TimePoint now;
  H2Session session;
  std::function<void(std::int32_t)> answer;   ///< called when a request is complete
  bool answers_refusals = true;
  int settings = 0;
  bool consumes = true;
  bool quiet = false;                         ///< writes nothing down: for floods and crowds
  std::size_t received = 0;
  std::size_t pulls = 0;
  std::map<std::int32_t, Body> bodies;
  std::map<std::int32_t, int> closings;

 private:
  static std::string tail(Framing framing, bool has_length, std::uint64_t length, const FieldList& fields) {
    std::string out = " " + test::describe(framing, length);
    if (has_length) out += " cl:" + std::to_string(length);
    return out + test::describe(fields);
  }
  void say(const char* what, std::int32_t stream, std::string_view rest) {
    if (quiet) return;
    log_ += std::string(what) + " " + std::to_string(stream) + (rest.empty() ? "" : ": ") + std::string(rest) + "\n";
  }
  /// The lines lie one behind the other in the buffer, just as HTTP/1 would have them.
  static void expect_lines(const FieldList& fields, const Buffer& bytes) {
    const char* behind = nullptr;
    for (const Field& field : fields) {
      const std::string_view line = fields.line(field);
      EXPECT_TRUE(field.verbatim);
      EXPECT_EQ(line, std::string(fields.name(field)) + ": " + std::string(fields.value(field)) + "\r\n");
      EXPECT_TRUE(behind == nullptr || behind == line.data());
      EXPECT_TRUE(line.data() >= bytes.data() && line.data() + line.size() <= bytes.data() + bytes.size());
      behind = line.data() + line.size();
    }
  }
  void complete(std::int32_t stream) {
    if (answer) answer(stream);
  }

  std::string log_;
  Buffer out_{pool()};
};

/// What a fresh session makes of the bytes: what it tells its owner, then " | " and what it tells the peer.
inline std::string once(H2Role role, std::string_view bytes, const std::vector<std::size_t>& cut_at, const H2Limits& limits) {
  Ear ear(role, limits);
  if (role == H2Role::Client) {
    ear.request(get());
    ear.request({{":method", "HEAD"}, {":scheme", "https"}, {":path", "/"}, {":authority", "h"}});
  }
  (void)ear.produce();
  std::size_t from = 0;
  bool fine = true;
  for (std::size_t i = 0; fine && i <= cut_at.size(); ++i) {
    const std::size_t to = i < cut_at.size() ? cut_at[i] : bytes.size();
    const std::string_view part = bytes.substr(from, to - from);
    const std::vector<char> piece(part.begin(), part.end());
    fine = ear.feed({piece.data(), piece.size()});
    from = to;
  }
  const std::string events = ear.heard();
  const std::string frames = ear.sent();
  return events + "| " + frames + "\n" + ear.heard();
}

/// Whole, cut in two at every byte, and byte by byte: the same each time.
inline std::string every_cut(H2Role role, std::string_view bytes, const H2Limits& limits = {}) {
  const std::string whole = once(role, bytes, {}, limits);
  const std::vector<std::size_t> places = cuts(bytes.size());
  for (const std::size_t cut : places) EXPECT_EQ(once(role, bytes, {cut}, limits), whole) << "cut at byte " << cut;
  EXPECT_EQ(once(role, bytes, places, limits), whole) << "byte by byte";
  return whole;
}
inline std::string to_server(std::string_view frames, const H2Limits& limits = {}) {
  return every_cut(H2Role::Server, kPreface + settings() + std::string(frames), limits);
}
/// To a client that sent a GET on stream 1 and a HEAD on stream 3.
inline std::string to_client(std::string_view frames, const H2Limits& limits = {}) {
  return every_cut(H2Role::Client, settings() + std::string(frames), limits);
}

/// A server that has received the preface.
inline std::unique_ptr<Ear> server(const H2Limits& limits = {}) {
  auto ear = std::make_unique<Ear>(H2Role::Server, limits);
  EXPECT_TRUE(ear->feed(kPreface + settings()));
  (void)ear->produce();
  EXPECT_TRUE(ear->feed(settings_ack()));
  return ear;
}

}  // namespace tidegate::http::test
