#include "cli/bench/page_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

namespace sida::bench {
namespace {

void each_file(const std::filesystem::path& directory,
               const std::function<void(int descriptor, std::uint64_t bytes)>& visit) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (!entry.is_regular_file(error)) continue;
    const auto bytes = entry.file_size(error);
    const int descriptor = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) continue;
    if (!error && bytes > 0) visit(descriptor, bytes);
    close(descriptor);
  }
}

std::uint64_t page_bytes() {
  return static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// Linux 6.5 and later: in microseconds. The structures are those of linux/mman.h, which older headers lack.
std::optional<std::uint64_t> ask_cachestat(int descriptor) {
  constexpr long kCachestat = 451;  // The same on every architecture.
  struct {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;  // To the end.
  } range;
  struct {
    std::uint64_t cached, dirty, writeback, evicted, recently_evicted;
  } counts{};
  if (syscall(kCachestat, descriptor, &range, &counts, 0) != 0) return std::nullopt;
  return counts.cached;
}

// Anywhere, at about 20 ms per GB. Nothing is read through the mapping, so a file that is cut short does no harm.
std::uint64_t ask_mincore(int descriptor, std::uint64_t bytes) {
  void* mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
  if (mapped == MAP_FAILED) return 0;
  std::vector<unsigned char> pages((bytes + page_bytes() - 1) / page_bytes());
  std::uint64_t cached = 0;
  if (mincore(mapped, bytes, pages.data()) == 0) {
    cached =
        static_cast<std::uint64_t>(std::ranges::count_if(pages, [](unsigned char flags) { return (flags & 1U) != 0; }));
  }
  munmap(mapped, bytes);
  return cached;
}

std::uint64_t cached_pages(int descriptor, std::uint64_t bytes) {
  const auto told = ask_cachestat(descriptor);
  return told ? *told : ask_mincore(descriptor, bytes);
}

}  // namespace

void forget_pages(const std::filesystem::path& directory) {
  each_file(directory,
            [](int descriptor, std::uint64_t /*bytes*/) { posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED); });
}

std::uint64_t cached_bytes(const std::filesystem::path& directory) {
  std::uint64_t cached = 0;
  each_file(directory,
            [&](int descriptor, std::uint64_t bytes) { cached += page_bytes() * cached_pages(descriptor, bytes); });
  return cached;
}

}  // namespace sida::bench
