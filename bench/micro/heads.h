// The messages that the micro-benchmarks read and write: what a browser asks a shop for, and its answer; the same as those
// of the instruction budget (tests/budget/instructions.py).
#pragma once

#include <string_view>

namespace tidegate::bench {

inline constexpr std::string_view kRequest =
    "GET /catalogue/items?page=3&sort=price HTTP/1.1\r\n"
    "Host: shop.example.org\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Connection: keep-alive\r\n"
    "Referer: https://shop.example.org/catalogue/items?page=2&sort=price\r\n"
    "Cookie: session=0f8fad5b-d9cb-469f-a165-70867728950e; theme=dark; consent=yes\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\n\r\n";

inline constexpr std::string_view kSmallRequest = "GET / HTTP/1.1\r\nHost: shop.example.org\r\n\r\n";

inline constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\n"
    "Server: nginx/1.22.1\r\n"
    "Date: Tue, 02 Jan 2024 03:04:05 GMT\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "Content-Length: 1024\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: no-cache\r\n"
    "Vary: Accept-Encoding\r\n\r\n";

}  // namespace tidegate::bench
