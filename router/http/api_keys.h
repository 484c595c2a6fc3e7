// Who may use the public port: clients that send `Authorization: Bearer KEY` with one of the configured keys.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "router/http/http_request.h"
#include "router/http/reply.h"

namespace sida::router {

// Holds digests only, so that neither a log nor a core dump shows a key. Fixed while the server runs; any thread.
class ApiKeys {
 public:
  // None: everybody may ask.
  ApiKeys() = default;
  // `keys` and the lines of `file` (empty: no file) that are neither empty nor begin with '#'. kInvalidArgument for a
  // key that no header can carry (characters beyond printable ASCII, or a space) and for a file without a key, kIo for
  // one that cannot be read. No message shows a key.
  static Result<ApiKeys> load(const std::vector<std::string>& keys, const std::string& file);

  [[nodiscard]] bool required() const { return !digests_.empty(); }
  // Which key an Authorization header carries; nothing: none of them. How long it takes depends on the lengths only.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view authorization) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  static Digest digest(std::string_view key);
  Result<void> add(const std::string& key);

  std::vector<Digest> digests_;
};

// Whose a request is, for sharing what there is: a key's where there are keys, else an address's.
std::uint64_t client_of(const ApiKeys& keys, const HttpRequest& request);

// 401 for a request that may not be answered: every path wants a key, if there are keys, but those that only tell
// whether the process is well (/health and /v2/health/live).
std::optional<Reply> refuse_stranger(const ApiKeys& keys, const HttpRequest& request);

}  // namespace sida::router
