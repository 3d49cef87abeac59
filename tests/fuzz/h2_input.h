// What the HTTP/2 targets share: an owner that does what it is told to by the input's choices, checks that the events of each
// stream come in their order, and writes them down, so that two ways of cutting the same bytes can be compared.
#pragma once

#include <map>

#include "http/grammar.h"
#include "http/h2_session.h"
#include "input.h"

namespace tidegate::fuzz {

class Owner final : public http::H2Events {
 public:
  Owner(http::H2Role role, const http::H2Limits& limits, unsigned char choices)
      : session(role, limits, *this, blocks_, TimePoint{}), server_(role == http::H2Role::Server), choices_(choices) {}

  void on_request(std::int32_t stream, http::RequestHead& head, Buffer& bytes, bool ends) override {
    State& state = begins(stream);
    state.ended = ends;
    check(head.fields, bytes);
    must(head.target.find_first_of(" \r\n#") == std::string_view::npos && !head.target.empty(), "target");
    must(http::is_token(head.method_token) && http::is_host(head.authority), "method or authority");
    say("request", stream, http::test::describe(head));
    if ((choices_ & 1) != 0) Buffer(blocks_).swap(bytes);  // taken over
    answer(stream);
  }
  void on_refused(std::int32_t stream, const http::Refusal& refusal) override {
    begins(stream).silent = true;
    say("refused", stream, std::to_string(refusal.status));
    must(session.respond(stream, refusal.status, {}, true), "a refusal cannot be answered");
  }
  void on_response(std::int32_t stream, http::ResponseHead& head, Buffer& bytes, bool ends) override {
    State& state = continues(stream);
    must(!state.final_head, "a second response");
    must(!ends || head.status >= 200, "a 1xx response that ends");
    state.final_head = head.status >= 200;
    state.ended = ends;
    check(head.fields, bytes);
    say("response", stream, http::test::describe(head));
  }
  void on_data(std::int32_t stream, std::string_view data) override {
    State& state = continues(stream);
    must(server_ || state.final_head, "data before the response");
    state.received += data.size();
    session.consumed(stream, data.size());
  }
  void on_trailers(std::int32_t stream, http::FieldList& fields, Buffer& bytes) override {
    continues(stream);
    check(fields, bytes);
    say("trailers", stream, http::test::describe(fields));
  }
  void on_end(std::int32_t stream) override {
    State& state = continues(stream);
    state.ended = true;
    say("end", stream, std::to_string(state.received));
    if (server_ && (choices_ & 2) != 0) answer(stream);
  }
  http::H2Pulled pull(std::int32_t stream, char* to, std::size_t most) override {
    State& state = open(stream);
    const std::size_t bytes = std::min(most, state.to_send);
    std::fill_n(to, bytes, 'x');
    state.to_send -= bytes;
    return {bytes, state.to_send == 0};
  }
  void on_closed(std::int32_t stream, http::H2Error code, bool by_peer, bool unprocessed) override {
    const State& state = open(stream);
    const bool complete = state.ended || state.silent || state.answered;
    must(code != http::H2Error::NoError || complete, "an orderly end of what was not complete");
    must(!unprocessed || by_peer, "unprocessed");
    say("closed", stream, std::to_string(static_cast<std::uint32_t>(code)));
    states_.erase(stream);
  }
  void on_goaway() override { log += "goaway\n"; }
  void on_pong() override { log += "pong\n"; }
  void on_settings() override { log += "settings\n"; }
  void on_sent_end(std::int32_t) override {}

  void request(std::string_view method, bool ends) {
    const http::H2Field fields[] = {{":method", method}, {":scheme", "https"}, {":path", "/"}, {":authority", "h"}};
    const std::int32_t stream = session.request(fields, ends);
    if (stream > 0) begins(stream).to_send = 70'000;
  }
  std::string produce(std::size_t most = 1 << 20) {
    Buffer out(blocks_);
    session.produce(out, most);
    return std::string(out.view());
  }
  void must_agree_on_open_streams() const { must(states_.size() == session.open_streams(), "open streams"); }

  std::string log;

 private:
  struct State {
    bool ended = false;
    bool silent = false;
    bool final_head = false;
    bool answered = false;
    std::size_t received = 0;
    std::size_t to_send = 0;
  };

  State& begins(std::int32_t stream) {
    must(states_.count(stream) == 0, "a stream began twice");
    return states_[stream];
  }
  State& open(std::int32_t stream) {
    must(states_.count(stream) == 1, "an event of a stream that is not open");
    return states_[stream];
  }
  State& continues(std::int32_t stream) {
    State& state = open(stream);
    must(!state.ended && !state.silent, "an event after the end");
    return state;
  }
  void answer(std::int32_t stream) {
    State& state = open(stream);
    if (state.answered) return;
    if ((choices_ & 4) != 0 && stream % 4 == 3) {
      state.silent = true;
      return session.reset(stream, http::H2Error::Cancel);
    }
    state.answered = true;
    state.to_send = (choices_ & 8) != 0 ? 70'000 : 3;
    const http::H2Field field{"a", "b"};
    must(session.respond(stream, 200, {&field, 1}, (choices_ & 16) != 0), "a request cannot be answered");
    if ((choices_ & 32) != 0) session.trailers(stream, {&field, 1});
  }
  static void check(const http::FieldList& fields, const Buffer& bytes) {
    for (const http::Field& field : fields) {
      const std::string line = std::string(fields.name(field)) + ": " + std::string(fields.value(field)) + "\r\n";
      must_equal(std::string(fields.line(field)), line, "a line");
      must(http::is_token(fields.name(field)) && http::is_field_value(fields.value(field)), "a field");
      must(fields.line(field).data() + line.size() <= bytes.data() + bytes.size(), "a line outside of its bytes");
      must(field.id != http::FieldId::Connection && field.id != http::FieldId::TransferEncoding, "a field of the connection");
    }
  }
  void say(const char* what, std::int32_t stream, const std::string& rest) {
    log += std::string(what) + " " + std::to_string(stream) + " " + rest + "\n";
  }

  BlockPool blocks_;

 public:
  http::H2Session session;

 private:
  bool server_;
  unsigned char choices_;
  std::map<std::int32_t, State> states_;
};

/// Limits that short inputs can go over.
inline http::H2Limits small_limits(unsigned char choices) {
  http::H2Limits limits;
  limits.streams = 10;
  limits.head = {2'000, 20, 500};
  limits.stream_window = 5'000;
  limits.connection_window = 70'000;
  limits.glitches = {40, 1};
  limits.resets = {10, 1};
  limits.empty_data = {10, 1};
  limits.queued_control = 20;
  limits.connect_protocol = (choices & 64) != 0;
  return limits;
}

/// Feeds the pieces between the places where the bytes are cut, each in memory of its own.
inline void feed(Owner& owner, std::string_view bytes, const std::vector<std::size_t>& places) {
  std::size_t from = 0;
  for (std::size_t i = 0; i <= places.size(); ++i) {
    const std::size_t to = i < places.size() ? places[i] : bytes.size();
    const std::string_view part = bytes.substr(from, to - from);
    const std::vector<char> piece(part.begin(), part.end());
    if (!owner.session.feed({piece.data(), piece.size()}, TimePoint{})) return;
    from = to;
  }
}

/// The same events and the same answers however the bytes are cut, when nothing is sent between; and no harm when it is.
template <class Make>
void check_every_way(const Input& input, const Make& make) {
  const auto run = [&](const std::vector<std::size_t>& places) {
    const std::unique_ptr<Owner> owner = make();
    feed(*owner, input.bytes, places);
    owner->must_agree_on_open_streams();
    const std::string sent = owner->produce();
    if (!owner->session.is_over()) owner->must_agree_on_open_streams();
    return owner->log + sent;
  };
  const std::string whole = run({});
  must_equal(whole, run({input.cut}), "cut in two");
  if (input.bytes.size() <= kByteByByte) must_equal(whole, run(every_byte(input.bytes.size())), "byte by byte");

  const std::unique_ptr<Owner> owner = make();
  std::string_view left = input.bytes;
  const std::size_t piece = 1 + input.cut % 97;
  while (!left.empty()) {
    const std::string part(left.substr(0, piece));
    left.remove_prefix(part.size());
    const bool fine = owner->session.feed(part, TimePoint{});
    (void)owner->produce(piece);
    if (!fine || owner->session.is_over()) break;
  }
  (void)owner->produce();
}

}  // namespace tidegate::fuzz
