#include <sodium.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>
#include <string>
#include <utility>

#include "common/tokenizer/spiece_model.h"
#include "common/tokenizer/tokenizer.h"
#include "common/tokenizer/tokenizer_json.h"

namespace sida::tokenizer {
namespace {

// 26 times the file of T5, and 4 times the largest vocabulary in use (256,000 pieces).
constexpr std::uintmax_t kFileBytesMax = std::uintmax_t{64} << 20;

Result<std::string> read_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) {
    return fail(ErrorCode::kIo, error.message());
  }
  if (size > kFileBytesMax) {
    return fail(ErrorCode::kInvalidModel, "larger than " + std::to_string(kFileBytesMax) + " bytes");
  }
  std::ifstream stream(path, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(size))) {
    return fail(ErrorCode::kIo, std::string("cannot be read: ") + std::strerror(errno));
  }
  return bytes;
}

using Reader = Result<std::unique_ptr<Tokenizer>> (*)(std::string_view bytes);

Result<std::unique_ptr<Tokenizer>> load(const std::filesystem::path& path, Reader reader) {
  try {
    const auto bytes = read_file(path);
    auto tokenizer = bytes ? reader(*bytes) : tl::unexpected<Error>(bytes.error());
    if (!tokenizer) {
      return fail_at(path.string(), std::move(tokenizer).error());
    }
    return tokenizer;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kIo, path.string() + ": not enough memory");
  }
}

// In order of preference.
constexpr std::pair<const char*, Reader> kFiles[] = {{"tokenizer.json", read_tokenizer_json},
                                                     {"spiece.model", read_spiece_model}};

// nullptr: the directory has no tokeniser.
const std::pair<const char*, Reader>* find_file(const std::filesystem::path& model_directory) {
  for (const auto& file : kFiles) {
    std::error_code error;
    if (std::filesystem::exists(model_directory / file.first, error)) return &file;
  }
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const std::filesystem::path& model_directory) {
  if (const auto* file = find_file(model_directory)) return load(model_directory / file->first, file->second);
  return fail(ErrorCode::kNotFound, model_directory.string() + ": no tokenizer.json and no spiece.model");
}

Result<std::array<std::uint8_t, 32>> fingerprint(const std::filesystem::path& model_directory) {
  std::array<std::uint8_t, 32> digest{};
  const auto* file = find_file(model_directory);
  if (file == nullptr) return digest;
  const auto path = model_directory / file->first;
  const auto bytes = read_file(path);
  if (!bytes) return fail_at(path.string(), bytes.error());
  crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(bytes->data()), bytes->size(),
                     nullptr, 0);
  return digest;
}

}  // namespace sida::tokenizer
