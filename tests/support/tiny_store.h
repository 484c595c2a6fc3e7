// An expert store of the tiny model (tiny_model.h).
#pragma once

#include <filesystem>

#include "common/store/directory_source.h"
#include "common/store/write_store.h"
#include "tests/support/tiny_model.h"

namespace sida::test {

// Of the model directory `from`. A failure is a broken test machine.
inline void write_store(const std::filesystem::path& from, const std::filesystem::path& to,
                        DType dtype = DType::kFloat32) {
  auto model = model::ModelDirectory::open(from);
  SIDA_CHECK(model.has_value());
  auto source = store::DirectorySource::make(*std::move(model), dtype, {});
  SIDA_CHECK(source.has_value());
  SIDA_CHECK(store::write_store(to, *source, 2, nullptr).has_value());
}

}  // namespace sida::test
