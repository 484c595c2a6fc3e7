// Who may use the API, and whether it is encrypted: the options of the router and of whoever starts one.
#pragma once

#include <string>
#include <vector>

#include "common/config/schema.h"

namespace sida::config {

struct AccessOptions {
  std::vector<std::string> api_keys;  // With those of the file: one of them is wanted of every request; none: no check.
  std::string api_key_file;           // One a line; empty: no file.
  std::string ssl_certfile;           // PEM, both or none: TLS on the public port.
  std::string ssl_keyfile;
};

// `options` must outlive the schema.
void describe_access(Schema& schema, AccessOptions& options);

}  // namespace sida::config
