// What a pickle may name, and what it makes when called.
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/model/pickle_values.h"

namespace sida::model::pickle {

// `name` within `module`. Errors: kInvalidModel with the name, for everything not on the list.
[[nodiscard]] Result<Value> find_global(std::string_view module, std::string_view name);

// What REDUCE does: the value of calling `callable` with `arguments`, which may be an index that exists already.
[[nodiscard]] Result<Index> call(Arena& arena, Index callable, Index arguments);

// What BINPERSID does: ("storage", type, key, location, elements) to a storage.
[[nodiscard]] Result<Value> load_storage(const Arena& arena, Index description);

}  // namespace sida::model::pickle
