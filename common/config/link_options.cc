#include "common/config/link_options.h"

namespace sida::config {

void describe_links(Schema& schema, LinkOptions& options) {
  schema
      .text("link-secret-key", options.link_secret_key,
            "this process's secret key, as 'sida keys' makes it: TCP links are encrypted, and may leave this host")
      .placeholder("FILE");
  schema
      .text("link-allow", options.link_allow,
            "public keys of the peers, in a directory (NAME.pub) or one file; read anew when they change")
      .placeholder("PATH");
  schema.rule([&options](std::vector<std::string>& problems) {
    if (options.link_secret_key.empty() != options.link_allow.empty()) {
      problems.emplace_back("--link-secret-key FILE and --link-allow PATH go together; 'sida keys' makes keys");
    }
  });
}

}  // namespace sida::config
