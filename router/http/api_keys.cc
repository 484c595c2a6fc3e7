#include "router/http/api_keys.h"

#include <sodium.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <functional>

namespace sida::router {
namespace {

constexpr std::string_view kScheme = "bearer ";

bool can_be_sent(const std::string& key) {
  return !key.empty() && std::ranges::all_of(key, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

// What follows "Bearer " (a scheme's case does not matter); empty when it is another scheme.
std::string_view bearer_key(std::string_view authorization) {
  if (authorization.size() < kScheme.size()) return {};
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(authorization[i])) != kScheme[i]) return {};
  }
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return authorization;
}

}  // namespace

ApiKeys::Digest ApiKeys::digest(std::string_view key) {
  Digest result{};
  crypto_generichash(result.data(), result.size(), reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                     nullptr, 0);
  return result;
}

Result<void> ApiKeys::add(const std::string& key) {
  if (!can_be_sent(key)) {
    return fail(ErrorCode::kInvalidArgument,
                "an API key is empty or has a character that no header carries: use letters, digits and punctuation");
  }
  digests_.push_back(digest(key));
  return {};
}

Result<ApiKeys> ApiKeys::load(const std::vector<std::string>& keys, const std::string& file) {
  ApiKeys loaded;
  if (sodium_init() < 0) return fail(ErrorCode::kInternal, "libsodium cannot start");
  for (const std::string& key : keys) SIDA_TRY(loaded.add(key));
  if (file.empty()) return loaded;
  std::ifstream lines(file);
  if (!lines) return fail(ErrorCode::kIo, "--api-key-file: " + file + " cannot be read");
  const std::size_t before = loaded.digests_.size();
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    SIDA_TRY(loaded.add(line));
  }
  // Without this an empty file would let everybody in.
  if (loaded.digests_.size() == before) {
    return fail(ErrorCode::kInvalidArgument, "--api-key-file: " + file + " has no key; write one a line");
  }
  return loaded;
}

std::optional<std::size_t> ApiKeys::find(std::string_view authorization) const {
  const Digest given = digest(bearer_key(authorization));
  std::optional<std::size_t> found;
  for (std::size_t index = 0; index < digests_.size(); ++index) {
    if (sodium_memcmp(given.data(), digests_[index].data(), given.size()) == 0) found = index;
  }
  return found;
}

std::uint64_t client_of(const ApiKeys& keys, const HttpRequest& request) {
  if (const auto key = keys.find(request.authorization)) return *key;
  return std::hash<std::string>{}(request.address);
}

std::optional<Reply> refuse_stranger(const ApiKeys& keys, const HttpRequest& request) {
  if (!keys.required() || request.path == "/health" || request.path == "/v2/health/live") return std::nullopt;
  if (keys.find(request.authorization)) return std::nullopt;
  const char* message = request.authorization.empty() ? "send the header Authorization: Bearer KEY with an API key"
                                                      : "the Authorization header carries no valid API key";
  Reply reply = error_reply({401, "invalid_api_key", message, ""});
  reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

}  // namespace sida::router
