#include "common/store/expert_bands.h"

#include <gtest/gtest.h>

#include "common/tensor/packed_matrix.h"

namespace sida::store {
namespace {

void check(const model::StoreGeometry& geometry) {
  std::uint64_t expected = 0;
  std::int64_t rows[2] = {0, 0};
  for (const Band& band : expert_bands(geometry)) {
    EXPECT_EQ(band.offset, expected);
    EXPECT_EQ(band.bytes, packed_bytes(band.rows, band.columns, geometry.dtype));
    auto& seen = rows[band.matrix == Matrix::kWo ? 1 : 0];
    EXPECT_EQ(band.first_row, seen);
    seen += band.rows;
    expected += band.bytes;
  }
  EXPECT_EQ(expected, geometry.block_bytes());
  EXPECT_EQ(rows[0], geometry.d_ff);
  EXPECT_EQ(rows[1], geometry.d_model);
}

TEST(ExpertBands, CoverABlockWithoutGaps) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    check({dtype, 768, 3072, 12, 256});
    check({dtype, 8, 12, 1, 1});
    check({dtype, 1000, 3001, 1, 1});
  }
}

TEST(ExpertBands, HaveAboutAMebibyte) {
  for (const Band& band : expert_bands({DType::kBFloat16, 4096, 10240, 24, 128})) {
    EXPECT_LE(band.bytes, 64U * 10240 * 2);  // One panel, which is longer than a MiB here.
  }
  EXPECT_EQ(expert_bands({DType::kBFloat16, 768, 3072, 12, 256}).front().bytes, 10U * 64 * 768 * 2);
}

}  // namespace
}  // namespace sida::store
