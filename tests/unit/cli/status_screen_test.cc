#include "cli/status_screen.h"

#include <gtest/gtest.h>

namespace sida::cli {
namespace {

using nlohmann::json;
using std::chrono::seconds;

TEST(StatusLine, TellsRatesOfTheTimeBetween) {
  const json then{{"tokens", {{"generation", 100}}}};
  const json now{{"ready", true},
                 {"tokens", {{"generation", 400}}},
                 {"requests", {{"running", 2}, {"waiting", 1}, {"finished", 9}, {"failed", 0}}},
                 {"hit_rate", 0.5},
                 {"agreement", nullptr}};
  EXPECT_EQ(status_line(now, then, seconds(2)),
            "ready  running 2  waiting 1  tokens/s 150.0  hit rate 50.0 %  agreement -  finished 9  failed 0");
}

TEST(StatusLine, HasNoRateWithoutAnEarlierStatusOrOfAnotherRouter) {
  const json few{{"tokens", {{"generation", 1}}}};
  const json many{{"tokens", {{"generation", 5}}}};
  for (const json& earlier : {json(), many}) {
    EXPECT_NE(status_line(few, earlier, seconds(1)).find("tokens/s -"), std::string::npos);
  }
}

TEST(StatusLine, OfAnythingElseIsDashes) {
  for (const json& status : {json(), json(3), json{{"requests", 3}, {"tokens", "x"}, {"ready", 1}}}) {
    EXPECT_EQ(status_line(status, status, seconds(1)),
              "not ready  running -  waiting -  tokens/s -  hit rate -  agreement -  finished -  failed -");
  }
}

TEST(Screen, BeginsAtTheCornerAndErasesWhatWasThere) {
  EXPECT_EQ(screen_of("ab\nc\n", {10, 10}), "\033[Hab\033[K\r\nc\033[K\033[J");
}

TEST(Screen, CutsLinesByCharactersAndTellsOfMissingOnes) {
  EXPECT_EQ(screen_of("a\xc3\xa4"
                      "bc\n2\n3\n4\n",
                      {3, 2}),
            "\033[Ha\xc3\xa4\033[K\r\n2\033[K\r\n..\033[K\033[J");
  EXPECT_NE(screen_of("1\n2\n3\n4\n", {3, 80}).find("... 2 more lines"), std::string::npos);
}

TEST(Screen, KeepsControlSequencesOfTheTextAway) {
  EXPECT_EQ(screen_of("a\033[2Jb\tc", {10, 20}), "\033[Ha?[2Jb?c\033[K\033[J");
}

}  // namespace
}  // namespace sida::cli
