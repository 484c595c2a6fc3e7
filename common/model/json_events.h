// Reads JSON from untrusted files event by event: no document is built, so a hostile file costs no memory, and
// duplicate names, which a document would hide, are seen.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace sida::model {

// Rejects whatever a derived class does not expect. A derived class overrides the events it knows and calls reject()
// for a bad one; the first message is kept.
class JsonEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return reject("unexpected null"); }
  bool boolean(bool) override { return reject("unexpected boolean"); }
  bool number_integer(std::int64_t) override { return reject("unexpected negative number"); }
  bool number_unsigned(std::uint64_t) override { return reject("unexpected number"); }
  bool number_float(double, const std::string&) override { return reject("unexpected number"); }
  bool string(std::string&) override { return reject("unexpected string"); }
  bool binary(nlohmann::json::binary_t&) override { return reject("unexpected binary value"); }
  bool start_object(std::size_t) override { return reject("unexpected object"); }
  bool key(std::string&) override { return reject("unexpected key"); }
  bool end_object() override { return reject("unexpected end of object"); }
  bool start_array(std::size_t) override { return reject("unexpected array"); }
  bool end_array() override { return reject("unexpected end of array"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    return reject("not valid JSON at byte " + std::to_string(position));
  }

  [[nodiscard]] Result<void> run(std::string_view text) {
    if (nlohmann::json::sax_parse(text.begin(), text.end(), this)) return {};
    return fail(ErrorCode::kInvalidModel, message_.empty() ? "not valid JSON" : message_);
  }

 protected:
  bool reject(std::string message) {
    if (message_.empty()) message_ = std::move(message);
    return false;
  }

 private:
  std::string message_;
};

}  // namespace sida::model
