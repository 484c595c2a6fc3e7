// The keys of links that leave the host: the options of every process that has such links.
#pragma once

#include <string>

#include "common/config/schema.h"

namespace sida::config {

struct LinkOptions {
  std::string link_secret_key;  // File. With `link_allow`, both or none: TCP links are encrypted.
  std::string link_allow;       // File, or directory of *.pub: the public keys of the peers.

  [[nodiscard]] bool encrypted() const { return !link_secret_key.empty(); }
};

// `options` must outlive the schema.
void describe_links(Schema& schema, LinkOptions& options);

}  // namespace sida::config
