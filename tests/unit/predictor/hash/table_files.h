// Writes predictor directories for tests: safetensors and predictor.json.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/model/geometry.h"
#include "predictor/hash/predictor_directory.h"
#include "tests/support/temporary_directory.h"

namespace sida::predictor {

struct TableTensor {
  std::string dtype;  // "I16", "F16", "BF16".
  std::vector<std::int64_t> shape;
  std::vector<std::uint16_t> words;
};

using TableTensors = std::map<std::string, TableTensor>;

inline std::string safetensors_of(const TableTensors& tensors) {
  nlohmann::json header;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.words.data()), tensor.words.size() * sizeof(std::uint16_t));
    header[name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  const std::string json = header.dump();
  const std::uint64_t size = json.size();
  std::string file(sizeof size, '\0');
  std::memcpy(file.data(), &size, sizeof size);
  return file + json + data;
}

// Encoder blocks dense, MoE, dense, MoE; decoder blocks dense, MoE. Four token ids, three experts.
inline ServedModel small_model() {
  ServedModel model;
  model.geometry = model::make_geometry({false, true, false, true}, {false, true});
  model.vocab_size = 4;
  model.num_experts = 3;
  model.fingerprint.fill(0xab);
  return model;
}

inline constexpr std::uint16_t kHalfOne = 0x3c00;      // 1.0 in fp16.
inline constexpr std::uint16_t kHalfQuarter = 0x3400;  // 0.25 in fp16.

// k = 2. Layer L says of token t: expert (t + L) % 3 with confidence 1, then none.
inline TableTensors small_tables(std::int64_t vocab_size = 4) {
  TableTensors tensors;
  const std::vector<std::string> prefixes{"encoder.1.", "encoder.3.", "decoder.1."};
  for (std::size_t layer = 0; layer < prefixes.size(); ++layer) {
    TableTensor experts{"I16", {vocab_size, 2}, {}};
    TableTensor confidence{"F16", {vocab_size, 2}, {}};
    for (std::size_t token = 0; token < static_cast<std::size_t>(vocab_size); ++token) {
      experts.words.push_back(static_cast<std::uint16_t>((token + layer) % 3));
      experts.words.push_back(0xffff);
      confidence.words.push_back(kHalfOne);
      confidence.words.push_back(kHalfQuarter);
    }
    tensors[prefixes[layer] + "experts"] = experts;
    tensors[prefixes[layer] + "confidence"] = confidence;
  }
  return tensors;
}

inline void write_predictor(const test::TemporaryDirectory& directory, const TableTensors& tensors,
                            const std::string& card = R"({"kind": "token_id_table", "k": 2})") {
  directory.write("table.safetensors", safetensors_of(tensors));
  directory.write("predictor.json", card);
}

}  // namespace sida::predictor
