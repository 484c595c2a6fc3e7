#include "router/trunk/sequence_state.h"

#include <algorithm>
#include <cstring>

#include "router/trunk/tensor_rows.h"

namespace sida::router {
namespace {

void grow(at::Tensor& table, std::int64_t used, std::int64_t capacity, const ConstRows& like) {
  at::Tensor larger = empty_rows(capacity, like.columns, like.dtype);
  if (used > 0) std::memcpy(larger.data_ptr(), table.data_ptr(), static_cast<std::size_t>(used) * like.row_bytes());
  table = std::move(larger);
}

}  // namespace

void KeyValueCache::append(ConstRows keys, ConstRows values) {
  SIDA_CHECK(keys.count == values.count && keys.dtype == values.dtype);
  const std::int64_t needed = length_ + keys.count;
  const std::int64_t capacity = keys_.defined() ? keys_.size(0) : 0;
  if (needed > capacity) {
    const std::int64_t larger = std::max(needed, 2 * capacity);
    grow(keys_, length_, larger, keys);
    grow(values_, length_, larger, values);
  }
  std::memcpy(rows_of(keys_).row(length_), keys.data, keys.bytes());
  std::memcpy(rows_of(values_).row(length_), values.data, values.bytes());
  length_ = needed;
}

KeyValueCache KeyValueCache::fork() const {
  KeyValueCache own = *this;
  if (length_ == 0) return own;
  grow(own.keys_, length_, keys_.size(0), keys());
  grow(own.values_, length_, values_.size(0), values());
  return own;
}

ConstRows KeyValueCache::keys() const {
  return slice(rows_of(keys_), 0, length_);
}
ConstRows KeyValueCache::values() const {
  return slice(rows_of(values_), 0, length_);
}

std::size_t KeyValueCache::bytes() const {
  return keys_.defined() ? keys_.nbytes() + values_.nbytes() : 0;
}

SequenceState SequenceState::fork() const {
  SequenceState own = *this;
  for (KeyValueCache& cache : own.self_caches) cache = cache.fork();
  return own;
}

}  // namespace sida::router
