// Any table.safetensors: an error that names the file, or a table whose every answer is an expert of the model.
#include <cstdint>

#include "predictor/hash/token_id_table.h"
#include "tests/support/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sida;
  predictor::ServedModel model;
  model.geometry = model::make_geometry({false, true, false, true}, {false, true});
  model.vocab_size = 4;
  model.num_experts = 3;
  const test::MemoryFile file({reinterpret_cast<const char*>(data), size});
  auto table = predictor::TokenIdTable::open(file.path(), 2, model);
  if (!table) {
    SIDA_CHECK(table.error().code == ErrorCode::kInvalidModel);
    SIDA_CHECK(table.error().message.starts_with(file.path().string()));
    return 0;
  }
  const std::vector<std::int32_t> tokens{0, 1, 2, 3};
  const std::vector<predictor::Source> sources{{tokens, 2}};
  const auto begun = table->begin(sources);
  const predictor::Predictions& predictions = begun.at(0).predictions;
  for (const auto expert : predictions.experts) SIDA_CHECK(expert >= -1 && expert < 3);
  for (const auto confidence : predictions.confidences) SIDA_CHECK(confidence >= 0 && confidence <= 1);
  return 0;
}
