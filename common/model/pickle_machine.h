// Runs a pickle's opcodes over data-only values.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"
#include "common/model/pickle_values.h"

namespace sida::model::pickle {

// One use: construct, run once, look at the arena. The pickle must outlive it, since texts point into it.
class Machine {
 public:
  explicit Machine(std::string_view pickle) : rest_(pickle), length_(pickle.size()) {}

  // The value on the stack at STOP. Errors: kInvalidModel with the position.
  [[nodiscard]] Result<Index> run();

  [[nodiscard]] const Arena& arena() const { return arena_; }

 private:
  [[nodiscard]] Result<void> step(unsigned char opcode);
  [[nodiscard]] Result<void> step_push(unsigned char opcode);
  [[nodiscard]] Result<void> step_memo(unsigned char opcode);
  [[nodiscard]] Result<void> step_build(unsigned char opcode);

  [[nodiscard]] Result<std::string_view> take(std::uint64_t bytes);
  [[nodiscard]] Result<std::string_view> take_line();
  [[nodiscard]] Result<std::uint64_t> take_number(std::size_t width);

  [[nodiscard]] Result<void> push_number(std::size_t width, bool is_signed);
  [[nodiscard]] Result<void> push_long();
  [[nodiscard]] Result<void> push_text(std::size_t length_width);
  [[nodiscard]] Result<void> push_global();
  [[nodiscard]] Result<void> push_stack_global();
  [[nodiscard]] Result<void> remember(std::uint64_t slot);
  [[nodiscard]] Result<void> recall(std::uint64_t slot);

  [[nodiscard]] Result<Index> pop();
  [[nodiscard]] Result<std::vector<Index>> pop_to_mark();
  [[nodiscard]] Result<std::vector<Index>> pop_some(std::size_t count);
  [[nodiscard]] Result<void> push_tuple(Result<std::vector<Index>> items);
  [[nodiscard]] Result<void> extend(Kind container, Result<std::vector<Index>> items);
  [[nodiscard]] Result<void> ignore_state();
  [[nodiscard]] Result<void> reduce();
  [[nodiscard]] Result<void> push_storage();

  Result<void> push(Value value);

  std::string_view rest_;
  std::size_t length_;
  Arena arena_;
  std::vector<Index> stack_;
  std::vector<std::size_t> marks_;  // Heights of the stack.
  std::unordered_map<std::uint64_t, Index> memo_;
};

}  // namespace sida::model::pickle
