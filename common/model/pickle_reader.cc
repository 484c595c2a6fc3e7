#include "common/model/pickle_reader.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/checked_math.h"
#include "common/model/pickle_machine.h"
#include "common/model/quote_name.h"

namespace sida::model {

namespace {

using pickle::Arena;
using pickle::Index;
using pickle::Kind;
using pickle::Value;

constexpr std::size_t kDimensionsMax = 32;

tl::unexpected<Error> wrong(std::string_view name, std::string_view what) {
  return fail(ErrorCode::kInvalidModel, "tensor " + quote_name(name) + " " + std::string(what));
}

bool is_printable(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

Result<std::vector<std::int64_t>> integers(const Arena& arena, Index tuple, std::string_view name) {
  std::vector<std::int64_t> numbers;
  if (arena[tuple].items.size() > kDimensionsMax) return wrong(name, "has too many dimensions");
  for (Index item : arena[tuple].items) {
    if (arena[item].kind != Kind::kInteger || arena[item].number < 0) return wrong(name, "has a damaged shape");
    numbers.push_back(arena[item].number);
  }
  return numbers;
}

// Row-major without gaps. The stride of a dimension of size one is never used, so it may be anything.
bool is_contiguous(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& stride) {
  std::int64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) continue;
    if (stride[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

Result<PickledTensor> describe(const Arena& arena, std::string_view name, const Value& tensor) {
  const Value& storage = arena[tensor.items[0]];
  auto shape = integers(arena, tensor.items[1], name);
  if (!shape) return tl::unexpected(std::move(shape).error());
  const auto stride = integers(arena, tensor.items[2], name);
  if (!stride) return tl::unexpected(stride.error());
  const auto elements = checked_elements(*shape);
  if (!elements || shape->size() != stride->size() || tensor.number < 0) return wrong(name, "has a damaged shape");
  const auto offset = static_cast<std::uint64_t>(tensor.number);
  const auto in_storage = static_cast<std::uint64_t>(storage.number);
  if (offset > in_storage || *elements > in_storage - offset) return wrong(name, "is larger than its storage");
  // No overflow from here on: there are no more elements than fit into int64.
  if (*elements > 0 && !is_contiguous(*shape, *stride)) {
    return wrong(name, "is not contiguous; save it again after .contiguous()");
  }
  return PickledTensor{.name = std::string(name),
                       .storage_type = std::string(arena[storage.items[0]].text),
                       .storage_key = std::string(arena[storage.items[1]].text),
                       .storage_elements = in_storage,
                       .storage_offset = offset,
                       .shape = std::move(*shape)};
}

}  // namespace

Result<std::vector<PickledTensor>> read_pickle(std::string_view bytes) {
  if (bytes.size() > kPickleBytesMax) return fail(ErrorCode::kInvalidModel, "the pickle is longer than 64 MiB");
  pickle::Machine machine(bytes);
  const auto top = machine.run();
  if (!top) return tl::unexpected(top.error());
  const Arena& arena = machine.arena();
  const Value& dict = arena[*top];
  if (dict.kind != Kind::kDict) return fail(ErrorCode::kInvalidModel, "the pickle is not a dict of tensors");

  std::vector<PickledTensor> tensors;
  std::set<std::string_view> names;
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const Value& key = arena[dict.items[i]];
    const Value& value = arena[dict.items[i + 1]];
    if (key.kind != Kind::kText) return fail(ErrorCode::kInvalidModel, "the pickle has a tensor without a name");
    if (!is_printable(key.text)) return wrong(key.text, "has a name with bytes other than printable ASCII");
    if (value.kind != Kind::kTensor) return wrong(key.text, "is no tensor; a model's state dict is expected");
    if (!names.insert(key.text).second) return wrong(key.text, "appears twice");
    auto tensor = describe(arena, key.text, value);
    if (!tensor) return tl::unexpected(std::move(tensor).error());
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

}  // namespace sida::model
