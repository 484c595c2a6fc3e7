// Describes the options of one process or command once: name, default, unit, help. Parsing, the configuration file, the
// environment, --help, --print-config and docs/configuration.md all follow from this description.
//
//   struct WorkerConfig {
//     std::string listen;
//     std::uint64_t expert_memory_bytes = 0;  // 0: all that fits.
//     std::int64_t threads = 0;               // 0: one per core.
//   };
//   config::Schema describe(WorkerConfig& c) {
//     config::Schema schema("sida-expert-worker", "Holds experts and computes them.");
//     schema.text("listen", c.listen, "where routers connect").placeholder("ENDPOINT").required();
//     schema.size("expert-memory", c.expert_memory_bytes, "bytes of all experts held").zero_means("all that fits");
//     schema.integer("threads", c.threads, {0, 1024}, "compute threads").zero_means("one per core");
//     return schema;
//   }
//   int main(int argc, char** argv) {
//     WorkerConfig config;
//     auto schema = describe(config);
//     if (auto exit_code = config::configure(schema, argc, argv)) return *exit_code;   // common/config/configure.h
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace sida::config {

// Where a value came from, weakest first.
enum class Source { kDefault, kFile, kEnvironment, kFlag };

struct Range {
  std::int64_t min;
  std::int64_t max;
};

// One option. Made by Schema; the chained calls refine it.
class Option {
 public:
  enum class Shape { kValue, kSwitch, kList, kPositional };

  Option& placeholder(std::string word);  // The word for the value in --help: "DIR", "ENDPOINT".
  Option& required();                     // Reported as missing when no layer sets it.
  Option& zero_means(std::string text);   // "0 (all that fits)" in help.
  Option& secret();                       // --print-config hides it.
  Option& positional();                   // Given by position, in order of description; not in file or environment.

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& help() const { return help_; }
  [[nodiscard]] const std::string& placeholder() const { return placeholder_; }
  [[nodiscard]] const std::string& default_text() const { return default_text_; }
  [[nodiscard]] const std::string& zero_text() const { return zero_text_; }
  [[nodiscard]] Shape shape() const { return shape_; }
  [[nodiscard]] bool is_required() const { return required_; }
  [[nodiscard]] bool is_secret() const { return secret_; }
  [[nodiscard]] Source source() const { return source_; }
  // "SIDA_EXPERT_MEMORY" for "expert-memory".
  [[nodiscard]] std::string variable() const;
  // The values now, in the form that a flag takes; one unless the shape is kList.
  [[nodiscard]] std::vector<std::string> values() const { return show_(); }

  // Parses and stores; one value unless the shape is kList. The error says what is wrong with the value, not where.
  Result<void> assign(const std::vector<std::string>& values, Source source);

 private:
  friend class Schema;
  using Parse = std::function<Result<void>(const std::vector<std::string>&)>;

  std::string name_;
  std::string help_;
  std::string placeholder_;
  std::string default_text_;
  std::string zero_text_;
  Shape shape_ = Shape::kValue;
  bool required_ = false;
  bool secret_ = false;
  Source source_ = Source::kDefault;
  Parse parse_;
  std::function<std::vector<std::string>()> show_;
};

// Targets must outlive the schema. Names are lower-case with hyphens; they are flag, file key and variable alike.
class Schema {
 public:
  Schema(std::string program, std::string summary);

  Option& text(std::string name, std::string& target, std::string help);
  Option& texts(std::string name, std::vector<std::string>& target, std::string help);  // Repeatable.
  Option& toggle(std::string name, bool& target, std::string help);                     // --name or --no-name.
  Option& integer(std::string name, std::int64_t& target, Range range, std::string help);
  Option& integers(std::string name, std::vector<std::int32_t>& target, std::string help);  // "1,2,3", none negative.
  Option& number(std::string name, double& target, double min, double max, std::string help);
  Option& size(std::string name, std::uint64_t& bytes, std::string help);
  Option& duration(std::string name, std::chrono::milliseconds& target, std::string help);
  Option& choice(std::string name, std::string& target, std::vector<std::string> choices, std::string help);

  // A rule over several options, run after all are set: appends one full sentence per problem.
  void rule(std::function<void(std::vector<std::string>& problems)> check);
  // Shown at the end of --help: commands that work.
  void example(std::string command);

  [[nodiscard]] const std::string& program() const { return program_; }
  [[nodiscard]] const std::string& summary() const { return summary_; }
  [[nodiscard]] const std::vector<std::string>& examples() const { return examples_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Option>>& options() const { return options_; }
  // nullptr when there is none.
  [[nodiscard]] Option* find(const std::string& name) const;
  // Missing required options and broken rules.
  [[nodiscard]] std::vector<std::string> validate() const;

 private:
  Option& add(std::string name, std::string help, Option::Shape shape, Option::Parse parse,
              std::function<std::vector<std::string>()> show);

  std::string program_;
  std::string summary_;
  std::vector<std::string> examples_;
  std::vector<std::unique_ptr<Option>> options_;
  std::vector<std::function<void(std::vector<std::string>&)>> rules_;
};

}  // namespace sida::config
