#include "http/h2_fields.h"

#include <gtest/gtest.h>

#include <string>

namespace tidegate::http {
namespace {

std::string request(std::string_view head) {
  BlockPool pool;
  Buffer encoded(pool);
  encoded.append(head);
  H2Fields fields;
  fields.assign_request(encoded, "https");
  std::string out;
  for (const H2Field& field : fields.view()) out += std::string(field.name) + "=" + std::string(field.value) + "\n";
  return out;
}

TEST(H2Fields, ARequestLosesWhatBelongsToItsConnection) {
  EXPECT_EQ(request("GET /a?b HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: te\r\nX-One: 1\r\n\r\n"),
            ":method=GET\n:scheme=https\n:authority=x\n:path=/a?b\nte=trailers\nx-one=1\n");
}

TEST(H2Fields, AnUpgradeBecomesAnExtendedConnectWithoutTheKeyOfAWebSocket) {
  EXPECT_EQ(request("GET /chat HTTP/1.1\r\nhost: x\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                    "upgrade: websocket\r\nconnection: upgrade\r\n\r\n"),
            ":method=CONNECT\n:protocol=websocket\n:scheme=https\n:authority=x\n:path=/chat\nsec-websocket-version=13\n");
}

TEST(H2Fields, TheNextRequestIsAnOrdinaryOneAgain) {
  BlockPool pool;
  H2Fields fields;
  for (const bool upgrades : {true, false}) {
    Buffer encoded(pool);
    encoded.append("GET / HTTP/1.1\r\nhost: x\r\n");
    if (upgrades) encoded.append("upgrade: websocket\r\n");
    encoded.append("\r\n");
    fields.assign_request(encoded, "http");
    EXPECT_EQ(fields.is_extended_connect(), upgrades);
  }
}

TEST(H2Fields, AResponseHasItsStatusApart) {
  BlockPool pool;
  Buffer encoded(pool);
  encoded.append("HTTP/1.1 200 OK\r\nSec-WebSocket-Protocol: chat\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
  H2Fields fields;
  fields.assign_response(encoded);
  EXPECT_EQ(fields.status(), 200);
  ASSERT_EQ(fields.view().size(), 1u);
  EXPECT_EQ(fields.view()[0].name, "sec-websocket-protocol");
}

}  // namespace
}  // namespace tidegate::http
