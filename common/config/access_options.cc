#include "common/config/access_options.h"

namespace sida::config {

void describe_access(Schema& schema, AccessOptions& options) {
  schema.texts("api-key", options.api_keys, "key that every request but a look at its health must carry; repeatable")
      .placeholder("KEY")
      .secret();
  schema.text("api-key-file", options.api_key_file, "file with such keys, one a line, which ps does not show")
      .placeholder("FILE");
  schema.text("ssl-certfile", options.ssl_certfile, "certificate chain in PEM form: the API speaks HTTPS")
      .placeholder("FILE");
  schema.text("ssl-keyfile", options.ssl_keyfile, "its private key in PEM form").placeholder("FILE");
}

}  // namespace sida::config
