// What the page cache holds of a model's files.
#pragma once

#include <cstdint>
#include <filesystem>

namespace sida::bench {

// Tells the page cache that no file of the directory is needed again. Advice: what is not yet on disk stays.
void forget_pages(const std::filesystem::path& directory);

// Bytes of the directory's files in the page cache; 0 for what cannot be told.
std::uint64_t cached_bytes(const std::filesystem::path& directory);

}  // namespace sida::bench
