#include "common/model/shard_index.h"

#include <utility>

#include "common/model/json_events.h"
#include "common/model/quote_name.h"

namespace sida::model {

namespace {

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name.find_first_of(std::string_view("/\\\0", 3)) == name.npos &&
         name.find("..") == name.npos && name != ".";
}

// Depth 1 is the index itself; depth 2 under the key "weight_map" is what counts.
class IndexEvents : public JsonEvents {
 public:
  ShardIndex index;

  bool null() override { return ignore(); }
  bool boolean(bool) override { return ignore(); }
  bool number_integer(std::int64_t) override { return ignore(); }
  bool number_unsigned(std::uint64_t) override { return ignore(); }
  bool number_float(double, const std::string&) override { return ignore(); }

  bool start_object(std::size_t) override { return descend(); }
  bool start_array(std::size_t) override { return in_map_ ? ignore() : descend(); }
  bool end_object() override { return ascend(); }
  bool end_array() override { return ascend(); }

  bool key(std::string& name) override {
    if (depth_ == 1) {
      const bool is_map = name == "weight_map";
      if (is_map && std::exchange(seen_map_, true)) return reject("'weight_map' appears twice");
      in_map_ = is_map;
    } else if (in_map_) {
      tensor_ = name;
      if (index.file_of.contains(name)) return reject("tensor " + quote_name(name) + " appears twice");
    }
    return true;
  }

  bool string(std::string& file) override {
    if (!in_map_ || depth_ != 2) return ignore();
    if (!is_plain_file_name(file)) {
      return reject("tensor " + quote_name(tensor_) + ": " + quote_name(file) + " is not a plain file name");
    }
    index.files.insert(file);
    index.file_of.emplace(tensor_, file);
    return true;
  }

 private:
  bool ignore() { return in_map_ || depth_ == 0 ? reject("'weight_map' is not a map from tensor to file name") : true; }
  bool descend() {
    if (in_map_ && depth_ >= 2) return ignore();
    return ++depth_ <= 16 || reject("nested too deeply");
  }
  bool ascend() {
    if (--depth_ <= 1) in_map_ = false;
    return true;
  }

  int depth_ = 0;
  bool in_map_ = false;
  bool seen_map_ = false;
  std::string tensor_;
};

}  // namespace

Result<ShardIndex> parse_shard_index(std::string_view json) {
  IndexEvents events;
  SIDA_TRY(events.run(json));
  if (events.index.file_of.empty()) return fail(ErrorCode::kInvalidModel, "no 'weight_map' with tensors in it");
  return std::move(events.index);
}

}  // namespace sida::model
