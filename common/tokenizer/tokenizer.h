// Text to token ids and back, as the model directory's tokenizer.json says (or spiece.model where there is none).
// Both files are untrusted input and read by bounded readers of our own.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sida::tokenizer {

// Immutable after load; any thread. Never blocks.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // `text` may be any bytes: invalid UTF-8 is decoded with U+FFFD, as Python's errors="replace" does.
  // With `add_special_tokens` the end token is appended as the file's post-processor says.
  [[nodiscard]] virtual std::vector<std::int32_t> encode(std::string_view text, bool add_special_tokens) const = 0;

  // Ids without a token are skipped. With `skip_special_tokens`, tokens marked special (pad, end, sentinels) are left
  // out.
  [[nodiscard]] virtual std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const = 0;

  [[nodiscard]] virtual std::int32_t vocab_size() const = 0;
  // Empty for an id without a token.
  [[nodiscard]] virtual std::string token(std::int32_t id) const = 0;
};

// kNotFound when the directory has neither file (the server then takes ids only); kInvalidModel on damage and kIo where
// the file cannot be read, both with the file named.
Result<std::unique_ptr<Tokenizer>> load_tokenizer(const std::filesystem::path& model_directory);

// BLAKE2b-256 (libsodium's crypto_generichash, no key) of the bytes of the file that load_tokenizer() reads: what makes
// two tokenisers the same one. All zero when the directory has none. kInvalidModel (too large), kIo.
Result<std::array<std::uint8_t, 32>> fingerprint(const std::filesystem::path& model_directory);

}  // namespace sida::tokenizer
