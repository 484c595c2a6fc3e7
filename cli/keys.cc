// `sida keys`: key pairs for links that leave the host.
#include <cstdio>
#include <string>
#include <vector>

#include "cli/verbs.h"
#include "common/config/configure.h"
#include "common/transport/keys/key_files.h"

namespace sida::cli {
namespace {

Result<void> make_pairs(const std::string& directory, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto pair = transport::write_key_pair(directory, name);
    if (!pair) return tl::unexpected<Error>(pair.error());
    std::printf("%s/%s.key secret, for %s alone\n%s/%s.pub public, for its peers: %s\n", directory.c_str(),
                name.c_str(), name.c_str(), directory.c_str(), name.c_str(), pair->public_key.c_str());
  }
  return {};
}

}  // namespace

int keys(const Arguments& arguments) {
  std::string directory;
  std::vector<std::string> names;
  config::Schema schema(
      "sida keys",
      "Makes key pairs for links between hosts: for each name NAME.key, secret, mode 0600, and NAME.pub. Overwrites "
      "nothing.\n"
      "A process gets its own secret key (--link-secret-key) and its peers' public keys (--link-allow).");
  schema.text("dir", directory, "directory of the keys, made if there is none")
      .placeholder("DIR")
      .positional()
      .required();
  schema.texts("name", names, "of a process, as the routers call it; repeat for each").placeholder("NAME").required();
  schema.example("sida keys keys --name router-0 --name worker-0 --name worker-1 --name predictor-0");
  if (const auto exit_code = config::configure(schema, arguments)) {
    return *exit_code;
  }
  const auto made = make_pairs(directory, names);
  return made ? 0 : report(made.error());
}

}  // namespace sida::cli
