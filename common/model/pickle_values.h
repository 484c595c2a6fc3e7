// The values on the pickle reader's stack. They live in one arena and refer to each other by index, so that shared,
// deeply nested or cyclic values of a hostile pickle cost neither recursion nor copies.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sida::model::pickle {

enum class Kind : std::uint8_t {
  kNone,
  kBool,
  kInteger,  // number
  kFloat,    // Value not kept.
  kText,     // text
  kTuple,    // items
  kList,     // items
  kDict,     // items: key, value, key, value, …; collections.OrderedDict too
  kGlobal,   // number: a Global; text: its name
  kStorage,  // items: type (kGlobal), key (kText); number: elements
  kTensor    // items: storage, shape (kTuple), stride (kTuple); number: offset in elements
};

enum class Global : std::int64_t { kRebuildTensor, kRebuildParameter, kOrderedDict, kStorageType };

using Index = std::uint32_t;  // Of a value in the arena.

struct Value {
  Kind kind = Kind::kNone;
  std::int64_t number = 0;
  std::string_view text;  // Points into the pickle.
  std::vector<Index> items;
};

class Arena {
 public:
  Index add(Value value) {
    values_.push_back(std::move(value));
    return static_cast<Index>(values_.size() - 1);
  }
  Value& operator[](Index index) { return values_[index]; }
  const Value& operator[](Index index) const { return values_[index]; }
  [[nodiscard]] std::size_t size() const { return values_.size(); }

 private:
  std::vector<Value> values_;
};

}  // namespace sida::model::pickle
