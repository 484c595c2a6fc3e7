#include "common/model/pickle_machine.h"

#include <string>
#include <utility>

#include "common/model/pickle_globals.h"

namespace sida::model::pickle {

namespace {

constexpr std::size_t kTextBytesMax = 64 * 1024;
constexpr std::size_t kProtocolMax = 5;

// Names as in pickletools.
enum Opcode : unsigned char {
  kMark = '(',
  kStop = '.',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersid = 'Q',
  kReduce = 'R',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyTuple = ')',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95
};

tl::unexpected<Error> damaged(const char* what) {
  return fail(ErrorCode::kInvalidModel, std::string("the pickle is damaged: ") + what);
}

std::string hexadecimal(unsigned char byte) {
  constexpr const char* kDigits = "0123456789abcdef";
  return {'0', 'x', kDigits[byte >> 4U], kDigits[byte & 0xfU]};
}

}  // namespace

Result<Index> Machine::run() {
  while (!rest_.empty()) {
    const std::size_t position = length_ - rest_.size();
    const auto opcode = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    if (opcode == kStop) {
      if (stack_.size() != 1 || !marks_.empty()) return damaged("it stops with an unfinished value");
      return stack_.back();
    }
    if (auto done = step(opcode); !done) {
      Error error = std::move(done).error();
      error.message += " (byte " + std::to_string(position) + " of data.pkl)";
      return tl::unexpected(std::move(error));
    }
  }
  return damaged("it does not end with STOP");
}

Result<void> Machine::step(unsigned char opcode) {
  switch (opcode) {
    case kProto: {
      const auto version = take_number(1);
      if (!version) return tl::unexpected(version.error());
      return *version <= kProtocolMax ? Result<void>() : damaged("an unknown protocol");
    }
    case kFrame: {  // Only says how much to buffer.
      const auto length = take_number(8);
      return length ? Result<void>() : tl::unexpected(length.error());
    }
    case kMark:
      marks_.push_back(stack_.size());
      return {};
    case kBinPut:
    case kLongBinPut:
    case kMemoize:
    case kBinGet:
    case kLongBinGet:
      return step_memo(opcode);
    case kTuple:
    case kTuple1:
    case kTuple2:
    case kTuple3:
    case kAppend:
    case kAppends:
    case kSetItem:
    case kSetItems:
    case kBuild:
    case kReduce:
    case kBinPersid:
      return step_build(opcode);
    default:
      return step_push(opcode);
  }
}

Result<void> Machine::step_push(unsigned char opcode) {
  switch (opcode) {
    case kNone:
      return push({.kind = Kind::kNone, .text = {}, .items = {}});
    case kNewTrue:
    case kNewFalse:
      return push({.kind = Kind::kBool, .number = opcode == kNewTrue ? 1 : 0, .text = {}, .items = {}});
    case kEmptyTuple:
      return push({.kind = Kind::kTuple, .text = {}, .items = {}});
    case kEmptyList:
      return push({.kind = Kind::kList, .text = {}, .items = {}});
    case kEmptyDict:
      return push({.kind = Kind::kDict, .text = {}, .items = {}});
    case kBinInt:
      return push_number(4, /*is_signed=*/true);
    case kBinInt1:
      return push_number(1, /*is_signed=*/false);
    case kBinInt2:
      return push_number(2, /*is_signed=*/false);
    case kLong1:
      return push_long();
    case kBinFloat: {
      const auto bytes = take(8);
      if (!bytes) return tl::unexpected(bytes.error());
      return push({.kind = Kind::kFloat, .text = {}, .items = {}});
    }
    case kBinUnicode:
      return push_text(4);
    case kShortBinUnicode:
      return push_text(1);
    case kGlobal:
      return push_global();
    case kStackGlobal:
      return push_stack_global();
    default:
      return fail(ErrorCode::kInvalidModel,
                  "the pickle has opcode " + hexadecimal(opcode) + ", which torch.save does not write for weights");
  }
}

Result<void> Machine::step_memo(unsigned char opcode) {
  if (opcode == kMemoize) return remember(memo_.size());
  const auto slot = take_number(opcode == kBinPut || opcode == kBinGet ? 1 : 4);
  if (!slot) return tl::unexpected(slot.error());
  return opcode == kBinPut || opcode == kLongBinPut ? remember(*slot) : recall(*slot);
}

Result<void> Machine::step_build(unsigned char opcode) {
  switch (opcode) {
    case kTuple:
      return push_tuple(pop_to_mark());
    case kTuple1:
      return push_tuple(pop_some(1));
    case kTuple2:
      return push_tuple(pop_some(2));
    case kTuple3:
      return push_tuple(pop_some(3));
    case kAppend:
      return extend(Kind::kList, pop_some(1));
    case kAppends:
      return extend(Kind::kList, pop_to_mark());
    case kSetItem:
      return extend(Kind::kDict, pop_some(2));
    case kSetItems:
      return extend(Kind::kDict, pop_to_mark());
    case kBuild:
      return ignore_state();
    case kReduce:
      return reduce();
    default:
      return push_storage();
  }
}

Result<std::string_view> Machine::take(std::uint64_t bytes) {
  if (bytes > rest_.size()) return damaged("it ends too early");
  const std::string_view taken = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return taken;
}

Result<std::string_view> Machine::take_line() {
  const std::size_t end = rest_.substr(0, kTextBytesMax).find('\n');
  if (end == rest_.npos) return damaged("a name without an end");
  const std::string_view line = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return line;
}

// Little-endian, unsigned, at most 8 bytes.
Result<std::uint64_t> Machine::take_number(std::size_t width) {
  const auto bytes = take(width);
  if (!bytes) return tl::unexpected(bytes.error());
  std::uint64_t value = 0;
  for (std::size_t i = width; i-- > 0;) value = (value << 8U) | static_cast<unsigned char>((*bytes)[i]);
  return value;
}

Result<void> Machine::push(Value value) {
  stack_.push_back(arena_.add(std::move(value)));
  return {};
}

Result<void> Machine::push_number(std::size_t width, bool is_signed) {
  const auto value = take_number(width);
  if (!value) return tl::unexpected(value.error());
  const auto number =
      is_signed ? static_cast<std::int64_t>(static_cast<std::int32_t>(*value)) : static_cast<std::int64_t>(*value);
  return push({.kind = Kind::kInteger, .number = number, .text = {}, .items = {}});
}

// Two's complement of up to 8 bytes: larger integers do not occur in sizes.
Result<void> Machine::push_long() {
  const auto width = take_number(1);
  if (!width) return tl::unexpected(width.error());
  if (*width > 8) return damaged("an integer of more than 64 bits");
  const auto value = take_number(*width);
  if (!value) return tl::unexpected(value.error());
  const auto unused_bits = static_cast<unsigned>(64 - 8 * *width);
  const std::int64_t number =
      *width == 0 ? 0 : static_cast<std::int64_t>(*value << unused_bits) >> unused_bits;  // Extends the sign.
  return push({.kind = Kind::kInteger, .number = number, .text = {}, .items = {}});
}

Result<void> Machine::push_text(std::size_t length_width) {
  const auto length = take_number(length_width);
  if (!length) return tl::unexpected(length.error());
  if (*length > kTextBytesMax) return damaged("a string of more than 64 KiB");
  const auto text = take(*length);
  if (!text) return tl::unexpected(text.error());
  return push({.kind = Kind::kText, .text = *text, .items = {}});
}

Result<void> Machine::push_global() {
  const auto module = take_line();
  if (!module) return tl::unexpected(module.error());
  const auto name = take_line();
  if (!name) return tl::unexpected(name.error());
  auto global = find_global(*module, *name);
  if (!global) return tl::unexpected(std::move(global).error());
  return push(std::move(*global));
}

Result<void> Machine::push_stack_global() {
  const auto names = pop_some(2);
  if (!names) return tl::unexpected(names.error());
  const Value& module = arena_[(*names)[0]];
  const Value& name = arena_[(*names)[1]];
  if (module.kind != Kind::kText || name.kind != Kind::kText) return damaged("a global without a name");
  auto global = find_global(module.text, name.text);
  if (!global) return tl::unexpected(std::move(global).error());
  return push(std::move(*global));
}

Result<void> Machine::remember(std::uint64_t slot) {
  if (stack_.empty()) return damaged("nothing to remember");
  memo_[slot] = stack_.back();
  return {};
}

Result<void> Machine::recall(std::uint64_t slot) {
  const auto found = memo_.find(slot);
  if (found == memo_.end()) return damaged("a reference to nothing");
  stack_.push_back(found->second);
  return {};
}

// Values below the last mark belong to whatever is being built around it.
Result<std::vector<Index>> Machine::pop_some(std::size_t count) {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() < floor + count) return damaged("the stack is empty");
  const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
  std::vector<Index> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  return items;
}

Result<Index> Machine::pop() {
  const auto items = pop_some(1);
  if (!items) return tl::unexpected(items.error());
  return items->front();
}

Result<std::vector<Index>> Machine::pop_to_mark() {
  if (marks_.empty()) return damaged("a mark is missing");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  marks_.pop_back();
  std::vector<Index> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  return items;
}

Result<void> Machine::push_tuple(Result<std::vector<Index>> items) {
  if (!items) return tl::unexpected(std::move(items).error());
  return push({.kind = Kind::kTuple, .text = {}, .items = std::move(*items)});
}

Result<void> Machine::extend(Kind container, Result<std::vector<Index>> items) {
  if (!items) return tl::unexpected(std::move(items).error());
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor || arena_[stack_.back()].kind != container) return damaged("items of no container");
  if (container == Kind::kDict && items->size() % 2 != 0) return damaged("a key without a value");
  auto& existing = arena_[stack_.back()].items;
  existing.insert(existing.end(), items->begin(), items->end());
  return {};
}

// The only state in a state dict is the _metadata attribute of the OrderedDict, which says nothing about weights.
Result<void> Machine::ignore_state() {
  SIDA_TRY(pop());
  if (stack_.empty() || arena_[stack_.back()].kind != Kind::kDict)
    return damaged("state of something other than a dict");
  return {};
}

Result<void> Machine::reduce() {
  const auto operands = pop_some(2);
  if (!operands) return tl::unexpected(operands.error());
  const auto value = call(arena_, (*operands)[0], (*operands)[1]);
  if (!value) return tl::unexpected(value.error());
  stack_.push_back(*value);
  return {};
}

Result<void> Machine::push_storage() {
  const auto description = pop();
  if (!description) return tl::unexpected(description.error());
  auto storage = load_storage(arena_, *description);
  if (!storage) return tl::unexpected(std::move(storage).error());
  return push(std::move(*storage));
}

}  // namespace sida::model::pickle
