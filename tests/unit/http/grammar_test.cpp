// The small rules that every parser shares: lengths, tokens, lists, names of fields and methods.
#include "http/grammar.h"
#include "http/h1_head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/head.h"

namespace tidegate::http {
namespace {

TEST(ParseLength, TakesDigitsOnlyAndAtMostEighteen) {
  EXPECT_EQ(parse_length("0"), 0u);
  EXPECT_EQ(parse_length("5"), 5u);
  EXPECT_EQ(parse_length("0005"), 5u);
  EXPECT_EQ(parse_length("999999999999999999"), 999'999'999'999'999'999u);
  for (const char* text : {"", " ", "5 ", " 5", "+5", "-5", "5,5", "0x5", "5_0", "5a", "1000000000000000000",
                           "0000000000000000005", "18446744073709551616", "\xb2"}) {
    EXPECT_EQ(parse_length(text), std::nullopt) << text;
  }
}

TEST(Grammar, EveryByteHasItsClasses) {
  const std::string token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    EXPECT_EQ(is_token_char(c), token.find(c) != std::string::npos) << i;
    EXPECT_EQ(is_field_byte(c), i == '\t' || (i >= 0x20 && i != 0x7f)) << i;
    EXPECT_EQ(is_target_char(c), i > 0x20 && i < 0x7f && c != '#') << i;
  }
  EXPECT_FALSE(is_token(""));
}

TEST(Grammar, OnlyAsciiLettersChangeCase) {
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    EXPECT_EQ(lower(c), i >= 'A' && i <= 'Z' ? static_cast<char>(i + 32) : c) << i;
  }
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
  EXPECT_FALSE(equals_ignoring_case("\xc3\x84", "\xc3\xa4"));
}

// Some look at many bytes at a time: each byte must count wherever it stands, in texts of every length.
TEST(Grammar, EveryByteCountsInEveryPlaceOfATextOfAnyLength) {
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t place = 0; place < size; ++place) {
      std::string text(size, 'a');
      for (int i = 0; i < 256; ++i) {
        const char c = static_cast<char>(i);
        text[place] = c;
        ASSERT_EQ(is_field_value(text), is_field_byte(c)) << size << " " << place << " " << i;
        ASSERT_EQ(token_length(text), is_token_char(c) ? size : place) << size << " " << place << " " << i;
        ASSERT_EQ(target_length(text), is_target_char(c) ? size : place) << size << " " << place << " " << i;
        for (const char known : {'a', 'z', '-', '0', '_'}) {
          std::string lower_case(size, 'a');
          lower_case[place] = known;
          ASSERT_EQ(equals_ignoring_case(text, lower_case), lower(c) == known) << size << " " << place << " " << i;
        }
      }
    }
  }
}

TEST(Grammar, AListYieldsItsElementsWithoutBlanksOrEmptyOnes) {
  const auto elements = [](std::string_view list) {
    std::vector<std::string> out;
    for_each_element(list, [&out](std::string_view e) { return out.emplace_back(e), true; });
    return out;
  };
  using V = std::vector<std::string>;
  EXPECT_EQ(elements(""), V{});
  EXPECT_EQ(elements(",, ,\t"), V{});
  EXPECT_EQ(elements("a"), V{"a"});
  EXPECT_EQ(elements(" a ,\tb c,,d"), (V{"a", "b c", "d"}));
  int seen = 0;
  for_each_element("a,b,c", [&seen](std::string_view) { return ++seen < 2; });
  EXPECT_EQ(seen, 2);
}

TEST(Grammar, AnAuthorityLosesItsPort) {
  EXPECT_EQ(without_port("a:80"), "a");
  EXPECT_EQ(without_port("a"), "a");
  EXPECT_EQ(without_port("a:"), "a");
  EXPECT_EQ(without_port("[::1]:80"), "[::1]");
  EXPECT_EQ(without_port("[::1]"), "[::1]");
  EXPECT_EQ(without_port(""), "");
}

TEST(FieldIds, AreFoundInEveryCaseAndOnlyForTheWholeName) {
  const std::vector<std::pair<std::string, FieldId>> names{
      {"connection", FieldId::Connection}, {"content-length", FieldId::ContentLength}, {"expect", FieldId::Expect},
      {"forwarded", FieldId::Forwarded}, {"host", FieldId::Host}, {"keep-alive", FieldId::KeepAlive},
      {"proxy-connection", FieldId::ProxyConnection}, {"te", FieldId::Te}, {"x-tidegate-side", FieldId::Tidegate},
      {"traceparent", FieldId::Traceparent}, {"tracestate", FieldId::Tracestate}, {"trailer", FieldId::Trailer},
      {"transfer-encoding", FieldId::TransferEncoding}, {"upgrade", FieldId::Upgrade}, {"user-agent", FieldId::UserAgent},
      {"x-forwarded-for", FieldId::XForwardedFor}, {"x-forwarded-host", FieldId::XForwardedHost},
      {"x-forwarded-proto", FieldId::XForwardedProto}, {"x-request-id", FieldId::XRequestId}};
  for (const auto& [name, id] : names) {
    std::string upper = name;
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    EXPECT_EQ(identify(name), id) << name;
    EXPECT_EQ(identify(upper), id) << upper;
    EXPECT_EQ(identify("x" + name), FieldId::Other) << name;
    const FieldId neighbour = name.starts_with("x-forwarded-") ? FieldId::XForwarded : FieldId::Other;
    if (id != FieldId::Tidegate) {
      EXPECT_EQ(identify(name + "s"), neighbour) << name;
    }
    EXPECT_EQ(identify(name.substr(0, name.size() - 1) + "%"), id == FieldId::Tidegate ? id : neighbour) << name;
  }
  EXPECT_EQ(identify(""), FieldId::Other);
}

TEST(FieldIds, OfNamesThatServersTakeForTidegatesOwnAreAliases) {
  for (const char* name : {"x_forwarded_for", "X-Forwarded_For", "x_forwarded-proto", "x-forwarded-client_cert", "X_TIDEGATE_SIDE", "x-tidegate-a_b",
                           "x_real_ip", "x-real_ip", "x_request_id", "X-Request_ID", "content_length", "transfer_encoding"}) {
    EXPECT_EQ(identify(name), FieldId::Alias) << name;
  }
  for (const char* name : {"x_api_key", "x_forwarde_for", "x_forwarded_", "x_tidegate_", "x_real_ips", "x_request_ids", "user_agent", "x_", "_x-real-ip"}) {
    EXPECT_EQ(identify(name), FieldId::Other) << name;
  }
}

TEST(Underscores, AreKeptDroppedOrRejected) {
  const std::string bytes = "a_b: 1\r\nc: 2\r\nd_: 3\r\ne: 4\r\n";
  const auto left = [&bytes](Underscores wanted) {
    FieldList fields;
    for (std::uint32_t at = 0; at < bytes.size();) {
      const auto end = static_cast<std::uint32_t>(bytes.find('\r', at));
      EXPECT_EQ(detail::parse_field_line(std::string_view(bytes).substr(at, end - at), at, fields), nullptr);
      at = end + 2;
    }
    fields.set_base(bytes.data());
    if (!settle_underscores(fields, wanted)) return std::string("rejected");
    std::string names;
    for (const Field& field : fields) names.append(fields.name(field)).append(fields.value(field));
    return names;
  };
  EXPECT_EQ(left(Underscores::Keep), "a_b1c2d_3e4");
  EXPECT_EQ(left(Underscores::Drop), "c2e4");
  EXPECT_EQ(left(Underscores::Reject), "rejected");
}

TEST(Methods, AreKnownByTheirExactNameAndLabelledWithoutMakingSeries) {
  EXPECT_EQ(method_of("GET"), Method::Get);
  EXPECT_EQ(method_of("DELETE"), Method::Delete);
  EXPECT_EQ(method_of("get"), Method::Other);
  EXPECT_EQ(method_of("OTHER"), Method::Other);
  EXPECT_EQ(method_of(""), Method::Other);
  EXPECT_EQ(label(Method::Patch), "PATCH");
  EXPECT_EQ(label(method_of("X-EVIL")), "OTHER");
}

TEST(Methods, SafeAndIdempotentAreThoseOfRfc9110) {
  for (const Method m : {Method::Get, Method::Head, Method::Options, Method::Trace}) {
    EXPECT_TRUE(is_safe(m));
    EXPECT_TRUE(is_idempotent(m));
  }
  for (const Method m : {Method::Put, Method::Delete}) {
    EXPECT_FALSE(is_safe(m));
    EXPECT_TRUE(is_idempotent(m));
  }
  for (const Method m : {Method::Post, Method::Patch, Method::Connect, Method::Other}) {
    EXPECT_FALSE(is_safe(m));
    EXPECT_FALSE(is_idempotent(m));
  }
}

}  // namespace
}  // namespace tidegate::http
