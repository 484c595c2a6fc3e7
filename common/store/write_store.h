// Writes an expert store: docs/store.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "common/store/store_source.h"

namespace sida::store {

// Called every few MiB from the calling thread; the first call tells what an earlier run had done. False stops the work
// (kCancelled), which the same call later goes on with.
using StoreProgress = std::function<bool(std::uint64_t bytes_done, std::uint64_t bytes_total)>;

// Threads that packing is worth on this machine.
[[nodiscard]] int packing_threads();

// Bytes of trunk and data file.
[[nodiscard]] std::uint64_t store_bytes(const StoreContents& contents);

// Writes into DST.partial, and renames it when all is on disk. What an interrupted run of an equal source left is used,
// after its checksums were compared. Packs on `threads` threads; needs some dozen MiB of memory whatever the model.
// Blocks until done.
// Errors: kInvalidArgument (DST exists or is being written), kIo (not enough space, said before anything is written, or
// the disk's own), those of the source, kCancelled.
[[nodiscard]] Result<void> write_store(const std::filesystem::path& destination, StoreSource& source, int threads,
                                       const StoreProgress& progress);

}  // namespace sida::store
