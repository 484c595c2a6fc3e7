#include "common/store/description_files.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "common/model/output_file.h"
#include "common/model/read_only_file.h"

namespace sida::store {
namespace {

namespace fs = std::filesystem;

constexpr std::array kFiles{"config.json",
                            "generation_config.json",
                            "tokenizer.json",
                            "tokenizer_config.json",
                            "special_tokens_map.json",
                            "added_tokens.json",
                            "spiece.model",
                            "README.md",
                            "LICENSE",
                            "NOTICE"};
constexpr const char* kPredictor = "predictor";
constexpr const char* kHeads = "heads";

Result<void> copy_one(const fs::path& from, const fs::path& to) {
  constexpr std::uint64_t kPieceBytes = 1U << 20U;
  auto source = model::ReadOnlyFile::open(from);
  if (!source) return tl::unexpected(std::move(source).error());
  auto copy = model::OutputFile::create(to);
  if (!copy) return tl::unexpected(std::move(copy).error());
  std::vector<std::byte> buffer(std::min(kPieceBytes, source->size()));
  for (std::uint64_t done = 0; done < source->size(); done += buffer.size()) {
    const auto piece = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), source->size() - done));
    if (auto read = source->read(done, piece); !read) return fail_at(from.string(), std::move(read).error());
    SIDA_TRY(copy->append(piece));
  }
  return copy->finish();
}

Result<void> copy_folder(const fs::path& from, const fs::path& to,
                         int depth = 0) {  // NOLINT(misc-no-recursion): to `depth`.
  std::error_code error;
  fs::create_directory(to, error);
  if (error) return fail(ErrorCode::kIo, to.string() + ": cannot create: " + error.message());
  // Stepped by hand: a range-based loop and entry.is_regular_file() throw on what the file system refuses.
  for (fs::directory_iterator entry(from, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code unreadable;  // A link to nowhere, or to itself: nothing to copy.
    const fs::path copy = to / entry->path().filename();
    if (entry->is_regular_file(unreadable)) SIDA_TRY(copy_one(entry->path(), copy));
    if (depth > 0 && entry->is_directory(unreadable)) SIDA_TRY(copy_folder(entry->path(), copy, depth - 1));
  }
  if (error) return fail(ErrorCode::kIo, from.string() + ": cannot read: " + error.message());
  return {};
}

}  // namespace

Result<void> copy_description(const fs::path& from, const fs::path& to) {
  std::error_code ignored;
  for (const char* file : kFiles) {
    if (fs::exists(from / file, ignored)) SIDA_TRY(copy_one(from / file, to / file));
  }
  if (fs::is_directory(from / kPredictor, ignored)) SIDA_TRY(copy_folder(from / kPredictor, to / kPredictor));
  if (fs::is_directory(from / kHeads, ignored)) SIDA_TRY(copy_folder(from / kHeads, to / kHeads, 1));
  return {};
}

}  // namespace sida::store
