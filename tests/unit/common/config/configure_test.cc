#include "common/config/configure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "common/config/command_line.h"

namespace sida::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Example {
  std::string listen;
  std::uint64_t memory_bytes = 0;
  std::int64_t threads = 2;
  std::string dtype = "auto";
  bool json = false;
  std::vector<std::string> workers;
  std::vector<std::int32_t> ids;
  double temperature = 0;
};

Schema describe(Example& c) {
  Schema schema("sida-example", "Shows how options work.");
  schema.text("listen", c.listen, "where routers connect").placeholder("ENDPOINT").required();
  schema.size("expert-memory", c.memory_bytes, "bytes of experts").zero_means("all that fits");
  schema.integer("threads", c.threads, {1, 64}, "compute threads");
  schema.choice("dtype", c.dtype, {"auto", "fp32", "bf16"}, "computing type");
  schema.toggle("json", c.json, "print JSON");
  schema.texts("worker", c.workers, "a worker, repeatable").placeholder("NAME=ENDPOINT");
  schema.integers("ids", c.ids, "token ids");
  schema.number("temperature", c.temperature, 0, 2, "of sampling").zero_means("greedy");
  schema.rule([&c](std::vector<std::string>& problems) {
    if (c.threads > 8 && c.dtype == "bf16") {
      problems.emplace_back("--dtype bf16 needs --threads 8 or fewer");
    }
  });
  return schema;
}

class Configure : public ::testing::Test {
 protected:
  Loaded load_with(std::vector<std::string> arguments) {
    return load(schema_, {std::move(arguments), [this](const std::string& name) -> std::optional<std::string> {
                            const auto found = environment_.find(name);
                            return found == environment_.end() ? std::nullopt : std::optional(found->second);
                          }});
  }

  std::string file(const std::string& text) {
    const std::string path =
        ::testing::TempDir() + "sida_configure_" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::ofstream(path) << text;
    return path;
  }

  Example config_;
  Schema schema_ = describe(config_);
  std::map<std::string, std::string> environment_;
};

TEST_F(Configure, AFlagWinsOverAVariableOverTheFileOverTheDefault) {
  const auto path = file("listen: from-file\nthreads: 3\ndtype: fp32\nexpert-memory: 1GiB\n");
  environment_ = {{"SIDA_THREADS", "4"}, {"SIDA_LISTEN", "from-environment"}};

  const Loaded loaded = load_with({"--config", path, "--listen", "from-flag"});

  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(config_.listen, "from-flag");
  EXPECT_EQ(config_.threads, 4);
  EXPECT_EQ(config_.dtype, "fp32");
  EXPECT_EQ(config_.memory_bytes, 1ULL << 30U);
  EXPECT_EQ(schema_.find("listen")->source(), Source::kFlag);
  EXPECT_EQ(schema_.find("threads")->source(), Source::kEnvironment);
  EXPECT_EQ(schema_.find("dtype")->source(), Source::kFile);
  EXPECT_EQ(schema_.find("json")->source(), Source::kDefault);
}

TEST_F(Configure, EveryProblemIsReportedAtOnce) {
  const auto path = file("threds: 3\n");
  environment_ = {{"SIDA_DTYPE", "int4"}};

  const Loaded loaded = load_with({"--config", path, "--threads", "65", "--expert-memry=1GiB", "--temperature", "hot"});

  EXPECT_THAT(loaded.problems,
              ::testing::UnorderedElementsAre(
                  HasSubstr("line 1: unknown key 'threds'"), HasSubstr("SIDA_DTYPE: 'int4' is not one of"),
                  HasSubstr("--threads: '65' is outside 1 to 64"), HasSubstr("did you mean --expert-memory?"),
                  HasSubstr("--temperature: 'hot' is not a number"), HasSubstr("--listen ENDPOINT is missing")));
}

TEST_F(Configure, RulesOverSeveralOptionsAreChecked) {
  EXPECT_THAT(load_with({"--listen=x", "--threads=9", "--dtype=bf16"}).problems, ElementsAre(HasSubstr("8 or fewer")));
}

TEST_F(Configure, ListsComeFromRepeatedFlagsFileListsAndCommas) {
  load_with({"--listen=x", "--worker", "a=1", "--worker", "b=2"});
  EXPECT_THAT(config_.workers, ElementsAre("a=1", "b=2"));

  environment_ = {{"SIDA_WORKER", "c=3,d=4"}};
  load_with({"--listen=x"});
  EXPECT_THAT(config_.workers, ElementsAre("c=3", "d=4"));

  environment_.clear();
  load_with({"--listen=x", "--config", file("worker: [e=5, f=6]\n")});
  EXPECT_THAT(config_.workers, ElementsAre("e=5", "f=6"));
}

TEST_F(Configure, AValueGivenTwiceIsAProblem) {
  EXPECT_THAT(load_with({"--listen=x", "--listen=y"}).problems, ElementsAre("--listen: is given more than once"));
}

TEST_F(Configure, ASwitchCanBeTurnedOffAgain) {
  environment_ = {{"SIDA_JSON", "true"}};
  EXPECT_THAT(load_with({"--listen=x"}).problems, IsEmpty());
  EXPECT_TRUE(config_.json);
  EXPECT_THAT(load_with({"--listen=x", "--no-json"}).problems, IsEmpty());
  EXPECT_FALSE(config_.json);
}

TEST_F(Configure, IdsAreCommaSeparatedAndNeverNegative) {
  EXPECT_THAT(load_with({"--listen=x", "--ids", "5, 6,7"}).problems, IsEmpty());
  EXPECT_THAT(config_.ids, ElementsAre(5, 6, 7));
  for (const char* bad : {",", "1,,2", "1,-2", "99999999999"}) {
    EXPECT_THAT(load_with({"--listen=x", std::string("--ids=") + bad}).problems, ::testing::SizeIs(1)) << bad;
  }
}

TEST_F(Configure, ThePrintedConfigurationCanBeReadBack) {
  load_with({"--listen=it's", "--worker=a=1", "--threads=5"});
  const std::string printed = config_text(schema_);
  EXPECT_THAT(printed, HasSubstr("threads: '5'  # flag\n"));

  Example again;
  Schema schema = describe(again);
  const Loaded loaded = load(schema, {{"--config", file(printed)}, [](const auto&) { return std::nullopt; }});
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(again.listen, "it's");
  EXPECT_THAT(again.workers, ElementsAre("a=1"));
}

TEST_F(Configure, AMissingOrBrokenFileIsNamed) {
  EXPECT_THAT(load_with({"--listen=x", "--config=/nowhere.yaml"}).problems, ElementsAre(HasSubstr("/nowhere.yaml")));
  for (const char* text : {"- a\n", "a: {b: 1}\n", "listen: [a\n", "listen: a\nlisten: b\n", "listen: [[a]]\n"}) {
    EXPECT_THAT(load_with({"--listen=x", "--config", file(text)}).problems, ::testing::SizeIs(1)) << text;
  }
  EXPECT_THAT(load_with({"--listen=x", "--config", file(std::string(2U << 20U, '#'))}).problems,
              ElementsAre(HasSubstr("larger than 1 MiB")));
}

TEST_F(Configure, HelpTeachesNamesUnitsAndDefaults) {
  EXPECT_EQ(load_with({"--help"}).action, Action::kHelp);
  const std::string help = help_text(schema_);
  EXPECT_THAT(help, HasSubstr("--expert-memory SIZE"));
  EXPECT_THAT(help, HasSubstr("[all that fits]"));
  EXPECT_THAT(help, HasSubstr("[greedy]"));
  EXPECT_THAT(help, HasSubstr("--dtype auto|fp32|bf16"));
}

TEST_F(Configure, TheReferenceTableNamesFlagVariableAndDefault) {
  EXPECT_THAT(markdown(schema_), HasSubstr("| `--threads N` | `SIDA_THREADS` | 2 | compute threads |"));
}

TEST(ConfigurationOption, ASecretIsNotPrinted) {
  std::vector<std::string> keys{"sesame"};
  std::string empty;
  Schema schema("sida-test", "Tests.");
  schema.texts("key", keys, "keys").secret();
  schema.text("other", empty, "another").secret();
  EXPECT_EQ(config_text(schema), "key: ['(hidden)']  # default\nother: ''  # default\n");
}

}  // namespace
}  // namespace sida::config
