// The inside of H2Session: the library's session, what is known of each stream besides, and the limits. Submissions are in
// h2_session.cpp, what arrives in h2_receive.cpp, what leaves in h2_send.cpp, the library's callbacks in h2_callbacks.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/intrusive_list.h"
#include "http/h2_closed_streams.h"
#include "http/h2_floods.h"
#include "http/h2_frames.h"
#include "http/h2_head.h"
#include "http/h2_session.h"

struct nghttp2_session;
struct nghttp2_option;

namespace tidegate::http {

/// What the library does not keep of a stream. The library's stream points to it.
struct H2Stream : Link<> {
  static void* operator new(std::size_t bytes);
  static void operator delete(void* memory, std::size_t bytes) noexcept;

  std::int32_t id = 0;
  Method method = Method::Other;   // client: of the request
  std::uint64_t head_at = 0;       // client: how much was produced before its head was
  bool told = false;               // the owner knows of it
  bool quiet = false;              // nothing more of the peer's direction is told
  bool peer_ended = false;
  bool we_ended = false;
  bool reset_by_owner = false;     // or for its sake: not for an error of the peer
  H2Error failed = H2Error::NoError;  // for what error of the peer a reset is to be sent
  bool reset_by_peer = false;
  bool reset_sent = false;
  bool final_head = false;         // client: no longer 1xx
  bool over = false;               // on_closed() is being told
  int interim_heads = 0;           // client: 1xx so far
  std::string trailers;            // to be sent: name NUL value NUL ...
};

/// A field section that is arriving: one a session at a time, lent by the thread, because heads are large.
struct H2Incoming {
  static std::unique_ptr<H2Incoming> lend(BlockPool& blocks);
  static void give_back(std::unique_ptr<H2Incoming> incoming);

  enum class Kind : std::uint8_t { Request, Response, Trailers };
  Kind kind = Kind::Request;
  H2FieldSection section;
  std::unique_ptr<RequestHead> request;
  std::unique_ptr<ResponseHead> response;
  FieldList trailers;
  std::optional<Buffer> bytes;
};

class H2Session::Impl {
 public:
  Impl(H2Role role, const H2Limits& limits, H2Events& events, BlockPool& blocks, TimePoint now);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  // --- h2_session.cpp
  H2Stream* find(std::int32_t id) const noexcept;
  /// A stream that the owner may still do something with; else nullptr.
  H2Stream* usable(std::int32_t id) noexcept;
  void reset(std::int32_t id, H2Error code, bool for_owner);
  /// The connection is over for what the peer did.
  void end(H2Error code, std::string_view why);
  H2Stream* add_stream(std::int32_t id);

  // --- h2_receive.cpp
  bool feed(std::string_view bytes, TimePoint at);
  void section_begins(std::int32_t id, bool opens);
  /// @return false: the rest of the section is to be decoded only.
  bool field_arrived(std::int32_t id, std::string_view name, std::string_view value);
  void section_ended(std::int32_t id, bool ends);
  void data_arrived(std::int32_t id, std::string_view data);
  void data_frame_ended(std::int32_t id, bool only_padding, bool ends);
  void reset_arrived(std::int32_t id);
  void goaway_arrived();
  void settings_arrived();
  void pong_arrived();
  void closed(std::int32_t id, std::uint32_t code);

  /// Client: a request of ours.
  void stream_began() noexcept { floods_.stream_began(); }
  /// A field section has begun and not ended.
  bool is_in_head() const noexcept { return incoming_ != nullptr || opening_ != 0; }

  // --- h2_send.cpp
  void produce(Buffer& out, std::size_t most);
  enum class Read : std::uint8_t { Later, More, Last, LastBeforeTrailers };
  /// Pulls at most `most` bytes of a body behind the room for a frame's header in the output. @param got how many.
  Read read_body(std::int32_t id, std::size_t most, std::size_t& got);
  /// @param header the nine bytes before what read_body() left. @return false when enough is in the output.
  bool write_data(const char* header, std::size_t bytes);
  /// Client: a request's head is the next that goes into the output, in one frame or several.
  void request_begins(std::int32_t id);
  void frame_sent(H2FrameType type, std::uint8_t flags, std::int32_t id, std::uint32_t code);
  void head_not_sent(std::int32_t id, bool is_request, bool refused_by_goaway);

  const H2Role role;
  const H2Limits limits;
  H2Events& events;
  BlockPool& blocks;
  nghttp2_session* session = nullptr;
  TimePoint now;
  bool over = false;
  std::string_view refusal;
  std::uint32_t open = 0;       // streams that were told of
  std::int32_t highest = 0;     // of the streams that the client began
  std::uint32_t pings = 0;      // that were not answered
  std::uint32_t goaways = 0;    // for errors, by the owner, that were not sent yet
  bool goaway_told = false;
  std::int32_t goaway_last = INT32_MAX;  // server: the last stream that is served
  bool settings_told = false;
  List<H2Stream> streams;

 private:
  bool within(const char* over_limit);
  bool check(const H2FrameHeader& header);
  bool check_stream(const H2FrameHeader& header);
  bool check_closed(const H2FrameHeader& header);
  void give(std::string_view bytes);
  void drop_incoming();
  void request_ended(H2Stream& stream, bool ends);
  void response_ended(H2Stream& stream, bool ends);
  void trailers_ended(H2Stream& stream);

  H2FrameScanner scanner_;
  H2Floods floods_;
  H2ClosedStreams closed_;
  std::int32_t opening_ = 0;    // a stream that began with the section that is arriving, until the library takes it
  std::unique_ptr<H2Incoming> incoming_;
  std::int32_t incoming_for_ = 0;
  Buffer* out_ = nullptr;       // during produce()
  std::uint64_t before_ = 0;    // what was produced before the output's first byte
  std::size_t most_ = 0;
};

/// Of h2_callbacks.cpp. Throws std::bad_alloc.
nghttp2_session* new_h2_session(H2Session::Impl& impl);

}  // namespace tidegate::http
