#include "router/http/tls_context.h"

#include <openssl/ssl.h>

namespace sida::router {

namespace ssl = boost::asio::ssl;

Result<std::shared_ptr<ssl::context>> make_tls_context(const std::string& certificate_file,
                                                       const std::string& key_file) {
  if (certificate_file.empty() && key_file.empty()) return std::shared_ptr<ssl::context>();
  if (certificate_file.empty() || key_file.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--ssl-certfile and --ssl-keyfile go together: give both");
  }
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                           ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1,
                       error);
  if (error) return fail(ErrorCode::kInternal, "TLS cannot be set up: " + error.message());
  context->use_certificate_chain_file(certificate_file, error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                "--ssl-certfile: " + certificate_file + " is no certificate in PEM form (" + error.message() + ")");
  }
  context->use_private_key_file(key_file, ssl::context::pem, error);
  if (error || SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return fail(ErrorCode::kInvalidArgument,
                "--ssl-keyfile: " + key_file + " is not the private key, in PEM form, of " + certificate_file);
  }
  return context;
}

}  // namespace sida::router
