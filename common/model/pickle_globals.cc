#include "common/model/pickle_globals.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "common/model/quote_name.h"

namespace sida::model::pickle {

namespace {

constexpr std::array<std::string_view, 16> kStorageTypes{
    "FloatStorage", "BFloat16Storage", "HalfStorage",   "DoubleStorage", "LongStorage",         "IntStorage",
    "ShortStorage", "CharStorage",     "ByteStorage",   "BoolStorage",   "ComplexFloatStorage", "ComplexDoubleStorage",
    "QInt8Storage", "QInt32Storage",   "QUInt8Storage", "UntypedStorage"};

constexpr std::size_t kStorageKeyBytesMax = 64;  // torch.save counts from 0.

tl::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::kInvalidModel, "the pickle is damaged: " + std::string(what));
}

bool is(const Arena& arena, Index index, Kind kind) {
  return arena[index].kind == kind;
}

// torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks[, metadata])
Result<Index> rebuild_tensor(Arena& arena, Index arguments) {
  const std::vector<Index>& items = arena[arguments].items;
  if (items.size() < 6 || items.size() > 7 || !is(arena, items[0], Kind::kStorage) ||
      !is(arena, items[1], Kind::kInteger) || !is(arena, items[2], Kind::kTuple) ||
      !is(arena, items[3], Kind::kTuple)) {
    return damaged("a tensor without storage, offset, size and stride");
  }
  return arena.add(
      {.kind = Kind::kTensor, .number = arena[items[1]].number, .text = {}, .items = {items[0], items[2], items[3]}});
}

// torch._utils._rebuild_parameter(data, requires_grad, backward_hooks): the tensor itself.
Result<Index> rebuild_parameter(const Arena& arena, Index arguments) {
  const std::vector<Index>& items = arena[arguments].items;
  if (items.empty() || !is(arena, items[0], Kind::kTensor)) return damaged("a parameter without a tensor");
  return items[0];
}

}  // namespace

Result<Value> find_global(std::string_view module, std::string_view name) {
  const auto global = [&](Global which) {
    return Value{.kind = Kind::kGlobal, .number = static_cast<std::int64_t>(which), .text = name, .items = {}};
  };
  if (module == "torch._utils" && name == "_rebuild_tensor_v2") return global(Global::kRebuildTensor);
  if (module == "torch._utils" && name == "_rebuild_parameter") return global(Global::kRebuildParameter);
  if (module == "collections" && name == "OrderedDict") return global(Global::kOrderedDict);
  if (module == "torch" && std::find(kStorageTypes.begin(), kStorageTypes.end(), name) != kStorageTypes.end()) {
    return global(Global::kStorageType);
  }
  return fail(ErrorCode::kInvalidModel, "the pickle names " +
                                            quote_name(std::string(module) + "." + std::string(name)) +
                                            ", which weights do not need; it is refused, nothing was executed");
}

Result<Index> call(Arena& arena, Index callable, Index arguments) {
  if (!is(arena, callable, Kind::kGlobal) || !is(arena, arguments, Kind::kTuple))
    return damaged("a call of no function");
  switch (static_cast<Global>(arena[callable].number)) {
    case Global::kRebuildTensor:
      return rebuild_tensor(arena, arguments);
    case Global::kRebuildParameter:
      return rebuild_parameter(arena, arguments);
    case Global::kOrderedDict:
      if (!arena[arguments].items.empty()) return damaged("an OrderedDict with arguments");
      return arena.add({.kind = Kind::kDict, .text = {}, .items = {}});
    case Global::kStorageType:
      break;
  }
  return damaged("a call of no function");
}

Result<Value> load_storage(const Arena& arena, Index description) {
  const std::vector<Index>& items = arena[description].items;
  if (!is(arena, description, Kind::kTuple) || items.size() != 5 || !is(arena, items[0], Kind::kText) ||
      arena[items[0]].text != "storage" || !is(arena, items[1], Kind::kGlobal) ||
      arena[items[1]].number != static_cast<std::int64_t>(Global::kStorageType) || !is(arena, items[2], Kind::kText) ||
      !is(arena, items[4], Kind::kInteger) || arena[items[4]].number < 0) {
    return damaged("a storage without type, key and size");
  }
  // Every tensor keeps a copy of its key, so a long one would be a way to ask for much memory.
  if (arena[items[2]].text.size() > kStorageKeyBytesMax) return damaged("a storage key of more than 64 bytes");
  return Value{.kind = Kind::kStorage, .number = arena[items[4]].number, .text = {}, .items = {items[1], items[2]}};
}

}  // namespace sida::model::pickle
