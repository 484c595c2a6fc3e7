#include "router/http/api_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temporary_directory.h"

namespace sida::router {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ApiKeys keys_of(const std::vector<std::string>& keys) {
  return ApiKeys::load(keys, "").value();
}

HttpRequest get(const std::string& path, const std::string& authorization) {
  HttpRequest request;
  request.method = "GET";
  request.path = path;
  request.authorization = authorization;
  return request;
}

TEST(ApiKeys, NoneMeansThatEverybodyMayAsk) {
  EXPECT_FALSE(keys_of({}).required());
  EXPECT_FALSE(refuse_stranger(keys_of({}), get("/v1/models", "")));
}

TEST(ApiKeys, TellsWhichKeyWasSent) {
  const ApiKeys keys = keys_of({"one", "two"});
  EXPECT_EQ(keys.find("Bearer two"), 1U);
  EXPECT_EQ(keys.find("bearer one"), 0U);
}

TEST(ApiKeys, AnythingButAWholeKeyIsNone) {
  const ApiKeys keys = keys_of({"secret"});
  for (const char* header : {"", "Bearer", "Bearer ", "Bearer secre", "Bearer secret2", "Bearer SECRET", "Basic secret",
                             "secret", "Bearer secret ", "Bearersecret"}) {
    EXPECT_FALSE(keys.find(header)) << header;
  }
}

TEST(ApiKeys, AStrangerSeesNothingButHealth) {
  const ApiKeys keys = keys_of({"secret"});
  for (const char* path :
       {"/v1/completions", "/openapi.json", "/v2/health/ready", "/nowhere", "/health/", "//health"}) {
    const auto refused = refuse_stranger(keys, get(path, "Bearer wrong"));
    ASSERT_TRUE(refused) << path;
    EXPECT_EQ(refused->status, 401U);
    EXPECT_EQ(refused->outcome, "invalid_api_key");
    EXPECT_EQ(refused->headers.front(), std::make_pair(std::string("WWW-Authenticate"), std::string("Bearer")));
    EXPECT_THAT(refused->body, Not(HasSubstr("wrong")));
    EXPECT_FALSE(refuse_stranger(keys, get(path, "Bearer secret")));
  }
  EXPECT_FALSE(refuse_stranger(keys, get("/health", "")));
  EXPECT_FALSE(refuse_stranger(keys, get("/v2/health/live", "")));
}

TEST(ApiKeys, AFileHasOneALine) {
  const test::TemporaryDirectory folder;
  const std::string path = (folder.path() / "keys").string();
  std::ofstream(path) << "# ours\n\nfirst\r\nsecond\n";
  const auto keys = ApiKeys::load({"given"}, path);
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->find("Bearer given"), 0U);
  EXPECT_EQ(keys->find("Bearer first"), 1U);
  EXPECT_EQ(keys->find("Bearer second"), 2U);
}

TEST(ApiKeys, AFileWithoutAKeyOpensNothing) {
  const test::TemporaryDirectory folder;
  const std::string path = (folder.path() / "keys").string();
  EXPECT_EQ(ApiKeys::load({}, path).error().code, ErrorCode::kIo);
  std::ofstream(path) << "# none yet\n";
  EXPECT_EQ(ApiKeys::load({"given"}, path).error().code, ErrorCode::kInvalidArgument);
}

TEST(ApiKeys, AKeyThatNoHeaderCarriesIsRefusedAndNotShown) {
  for (const char* key : {"", "two words", "Schl\xc3\xbcssel", "line\n"}) {
    const auto keys = ApiKeys::load({key}, "");
    ASSERT_FALSE(keys);
    EXPECT_THAT(keys.error().message, Not(HasSubstr("words")));
  }
}

}  // namespace
}  // namespace sida::router
