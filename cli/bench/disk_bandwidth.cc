#include "cli/bench/disk_bandwidth.h"

#include <algorithm>
#include <future>
#include <vector>

#include "cli/bench/aligned_memory.h"
#include "cli/bench/page_cache.h"
#include "cli/bench/stopwatch.h"

namespace sida::bench {
namespace {

ExpertKey expert_at(std::uint64_t index, const model::ModelDirectory& model) {
  const auto per_layer = static_cast<std::uint64_t>(model.config().num_experts);
  return {LayerId{static_cast<std::int32_t>(index / per_layer)},
          ExpertId{static_cast<std::int32_t>(index % per_layer)}};
}

Result<std::uint64_t> read_block(const store::StoreFile& file, ExpertKey key, std::span<std::byte> block) {
  store::BlockRead reading;
  while (true) {
    const auto done = file.read_next(key, reading, block);
    if (!done) return tl::unexpected(done.error());
    if (*done) return reading.bytes_done();
  }
}

Result<std::uint64_t> read_tensors(const model::ModelDirectory& model, ExpertKey key) {
  const model::ExpertTensors tensors = model.expert(key);
  for (const model::TensorInfo* tensor : {tensors.wi, tensors.wo}) {
    const auto bytes = model.weights().read_bytes(*tensor);
    if (!bytes) return tl::unexpected(bytes.error());
  }
  return tensors.wi->bytes + tensors.wo->bytes;
}

}  // namespace

Result<DiskBandwidth> DiskBandwidth::open(const model::ModelDirectory& model) {
  if (model.store() == nullptr) return DiskBandwidth(model, std::nullopt);
  auto file = store::StoreFile::open(model);
  if (!file) return tl::unexpected(std::move(file).error());
  return DiskBandwidth(model, std::move(*file));
}

std::string DiskBandwidth::method() const {
  return store_ ? std::string(store::name(store_->method())) : "tensor by tensor, buffered";
}

Result<std::uint64_t> DiskBandwidth::read(std::uint64_t first, std::uint64_t count) const {
  AlignedMemory block(store_ ? model_->store()->geometry.stride_bytes() : 1);
  std::uint64_t bytes = 0;
  for (std::uint64_t index = first; index < first + count; ++index) {
    const ExpertKey key = expert_at(index % model_->experts_total(), *model_);
    const auto read = store_ ? read_block(*store_, key, {block.data(), model_->store()->geometry.stride_bytes()})
                             : read_tensors(*model_, key);
    if (!read) return tl::unexpected(read.error());
    bytes += *read;
  }
  return bytes;
}

Result<double> DiskBandwidth::pass(std::uint64_t bytes, int readers) {
  const std::uint64_t all = model_->experts_total();
  const std::uint64_t one =
      store_ ? model_->store()->geometry.stride_bytes() : model_->expert({LayerId{0}, ExpertId{0}}).wi->bytes * 2;
  const auto count =
      std::clamp<std::uint64_t>(bytes / one, 1, std::max<std::uint64_t>(1, all / static_cast<std::uint64_t>(readers)));
  forget_pages(model_->path());
  const Stopwatch watch(Time::kWall);
  std::vector<std::future<Result<std::uint64_t>>> reading;
  for (int reader = 0; reader < readers; ++reader) {
    reading.push_back(std::async(std::launch::async, [this, first = next_, count] { return read(first, count); }));
    next_ = (next_ + count) % all;
  }
  double total = 0;
  std::optional<Error> error;
  for (auto& each : reading) {
    const auto read = each.get();
    if (!read) error = read.error();
    if (read) total += static_cast<double>(*read);
  }
  if (error) return tl::unexpected(*error);
  return total / watch.seconds();
}

}  // namespace sida::bench
