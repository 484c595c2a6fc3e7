// Encodes and decodes the strings of its standard input with the tokeniser of a model directory, for comparison with
// another implementation (compare_tokenizers.py).
//
// In: u32 size and bytes of each string. Out: for each the ids with special tokens as u32 count and i32 each, then the
// ids decoded with and without special tokens as u32 size and bytes each. All little-endian.
#include <cstdint>
#include <cstdio>
#include <string>

#include "common/tokenizer/tokenizer.h"

namespace {

bool read_exactly(void* target, std::size_t size) {
  return std::fread(target, 1, size, stdin) == size;
}

void write_size(std::size_t size) {
  const auto value = static_cast<std::uint32_t>(size);
  std::fwrite(&value, sizeof value, 1, stdout);
}

void write_string(const std::string& text) {
  write_size(text.size());
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s MODEL_DIRECTORY < STRINGS > RESULTS\n", argv[0]);
    return 2;
  }
  const auto tokenizer = sida::tokenizer::load_tokenizer(argv[1]);
  if (!tokenizer) {
    std::fprintf(stderr, "error: %s\n", tokenizer.error().message.c_str());
    return sida::exit_code(tokenizer.error().code);
  }
  std::uint32_t size = 0;
  while (read_exactly(&size, sizeof size)) {
    std::string text(size, '\0');
    if (!read_exactly(text.data(), size)) {
      std::fprintf(stderr, "error: the last string is cut short\n");
      return 2;
    }
    const auto ids = (*tokenizer)->encode(text, true);
    write_size(ids.size());
    std::fwrite(ids.data(), sizeof ids[0], ids.size(), stdout);
    write_string((*tokenizer)->decode(ids, false));
    write_string((*tokenizer)->decode(ids, true));
  }
  return 0;
}
