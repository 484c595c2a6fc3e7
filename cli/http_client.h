// Asks a router over HTTP. The one file of the command that knows the HTTP library.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/result.h"

namespace sida::cli {

struct Url {
  std::string host;
  std::string port;
  std::string api_key;  // Sent along; empty: none. No part of the text of an address.
  bool operator==(const Url&) const = default;
};

// "http://127.0.0.1:8000", "http://[::1]:8000/" or without a port (80). kInvalidArgument on anything else.
Result<Url> parse_url(const std::string& text);

struct HttpAnswer {
  unsigned status = 0;
  nlohmann::json body;  // Discarded value when it is no JSON.
};

// One request on a connection of its own; `body` empty: GET, else POST. Blocks for at most `timeout`.
// kUnavailable when nobody answers in time; answers of any status are no error here.
Result<HttpAnswer> http_call(const Url& url, const std::string& path, const nlohmann::json& body,
                             std::chrono::milliseconds timeout);

// The same, with answers above 299 turned into the error that they carry.
Result<nlohmann::json> http_ask(const Url& url, const std::string& path, const nlohmann::json& body,
                                std::chrono::milliseconds timeout);

// The same, asked with `stream`: on_event(data) is called with the data of each server-sent event as it comes, "[DONE]"
// excluded.
Result<void> http_stream(const Url& url, const std::string& path, const nlohmann::json& body,
                         std::chrono::milliseconds timeout,
                         const std::function<void(const nlohmann::json& data)>& on_event);

// What an answer's OpenAI-style error object says.
Error error_of(const HttpAnswer& answer);

}  // namespace sida::cli
