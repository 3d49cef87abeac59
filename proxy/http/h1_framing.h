// How long a message's body is (RFC 9112 §6.3) and whether its connection lives on (§9.3): the two decisions that
// request smuggling is made of, in one place for both directions.
#pragma once

#include "http/h1_head.h"

namespace tidegate::http {

/// Sets framing, content_length and has_content_length, or tells why the request is refused.
Refusal resolve_framing(RequestHead& head) noexcept;
Refusal resolve_framing(ResponseHead& head, Method request_method) noexcept;

bool is_persistent(const FieldList& fields, std::uint8_t minor_version) noexcept;

}  // namespace tidegate::http
