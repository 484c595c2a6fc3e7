#include "common/transport/keys/key_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "common/transport/keys/keyring.h"
#include "tests/support/temporary_directory.h"

namespace sida::transport {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class KeyFiles : public testing::Test {
 protected:
  std::filesystem::path path(const std::string& name) const { return directory_.path() / name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
  KeyPlaces places() const { return {path("self.key"), directory_.path()}; }

  test::TemporaryDirectory directory_;
  KeyPair self_ = *write_key_pair(directory_.path(), "self");
  KeyPair peer_ = *write_key_pair(directory_.path(), "worker-0");
};

TEST_F(KeyFiles, KeepsSecretsFromOthers) {
  struct stat status {};
  ASSERT_EQ(stat(path("self.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(chmod(path("self.key").c_str(), 0604), 0);
  EXPECT_THAT(read_link_keys(places()).error().message, AllOf(HasSubstr("self.key"), HasSubstr("chmod 600")));
}

TEST_F(KeyFiles, OverwritesNoKey) {
  EXPECT_THAT(write_key_pair(directory_.path(), "self").error().message, HasSubstr("never overwritten"));
  std::filesystem::remove(path("self.key"));
  EXPECT_FALSE(write_key_pair(directory_.path(), "self"));
  EXPECT_FALSE(std::filesystem::exists(path("self.key")));
}

TEST_F(KeyFiles, RefusesNamesThatLeaveTheDirectory) {
  for (const char* name : {"", "../x", "a/b", ".hidden", "a b"}) {
    EXPECT_FALSE(write_key_pair(directory_.path(), name)) << name;
  }
}

TEST_F(KeyFiles, KnowsPeersByTheirFilesNames) {
  const auto keys = read_link_keys(places());
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->own.secret_key, self_.secret_key);
  EXPECT_EQ(keys->own.public_key, self_.public_key);
  EXPECT_THAT(keys->of("worker-0"), ElementsAre(peer_.public_key));
  EXPECT_THAT(keys->of("worker-1"), ElementsAre());
  EXPECT_TRUE(keys->allows(peer_.public_key));
  EXPECT_FALSE(keys->allows(make_key_pair().public_key));
}

TEST_F(KeyFiles, ReadsAllPeersFromOneFile) {
  const KeyPair other = make_key_pair();
  write("peers", "# who may connect\n\n" + peer_.public_key + " worker-0\n" + other.public_key + "\tworker-0\r\n" +
                     self_.public_key + "\n");
  const auto keys = read_link_keys({path("self.key"), path("peers")});
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_THAT(keys->of("worker-0"), ElementsAre(peer_.public_key, other.public_key));
  EXPECT_EQ(keys->allowed.size(), 3U);
}

TEST_F(KeyFiles, NamesTheLineThatIsNoKey) {
  for (const std::string& bad : {std::string("nonsense"), std::string(40, '~'), std::string(39, '0') + "\"",
                                 peer_.public_key + "x", peer_.public_key.substr(1), "a" + std::string(39, '#')}) {
    write("worker-1.pub", peer_.public_key + "\n" + bad + "\n");
    EXPECT_THAT(read_link_keys(places()).error().message, AllOf(HasSubstr("worker-1.pub"), HasSubstr("line 2"))) << bad;
  }
}

TEST_F(KeyFiles, RepeatsNoSecretInAnError) {
  write("self.key", "x" + self_.secret_key.substr(2) + "\n");
  ASSERT_EQ(chmod(path("self.key").c_str(), 0600), 0);
  const auto keys = read_link_keys(places());
  ASSERT_FALSE(keys);
  EXPECT_THAT(keys.error().message, AllOf(HasSubstr("self.key"), Not(HasSubstr(self_.secret_key.substr(2)))));
}

TEST_F(KeyFiles, RefusesToLetNobodyIn) {
  const auto keys = read_link_keys({path("self.key"), path("none")});
  ASSERT_FALSE(keys);
  EXPECT_THAT(keys.error().message, HasSubstr("none"));
  write("empty", "# nobody\n");
  EXPECT_THAT(read_link_keys({path("self.key"), path("empty")}).error().message, HasSubstr("holds no public key"));
}

TEST_F(KeyFiles, RefusesFilesThatAreTooLarge) {
  write("worker-1.pub", std::string(kKeyFileBytesMax + 1, '\n'));
  EXPECT_THAT(read_link_keys(places()).error().message, HasSubstr("too large"));
}

TEST_F(KeyFiles, RereadsWhatHasChangedAndKeepsTheOldWhereItIsDamaged) {
  const auto keyring = *Keyring::open(places());
  EXPECT_FALSE(*keyring->reread());
  const KeyPair more = *write_key_pair(directory_.path(), "worker-1");
  EXPECT_TRUE(*keyring->reread());
  EXPECT_TRUE(keyring->keys()->allows(more.public_key));
  EXPECT_EQ(keyring->version(), 2U);

  write("worker-1.pub", "half a ke");
  EXPECT_FALSE(keyring->reread());
  EXPECT_TRUE(keyring->keys()->allows(more.public_key));
  EXPECT_FALSE(*keyring->reread());  // Told once.
  std::filesystem::remove(path("worker-1.pub"));
  EXPECT_TRUE(*keyring->reread());
  EXPECT_FALSE(keyring->keys()->allows(more.public_key));
}

TEST_F(KeyFiles, NeedsNoKeysWhereNoneAreNamed) {
  EXPECT_EQ(*Keyring::open({}), nullptr);
}

}  // namespace
}  // namespace sida::transport
