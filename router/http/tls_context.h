// TLS of the public port.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "common/base/result.h"

namespace sida::router {

// TLS 1.2 and up, with the certificate (chain) and the private key of two PEM files. Nothing when both names are empty.
// kInvalidArgument when only one is given, when a file is none, or when the two do not belong together; the message
// names the file, never what is in it.
Result<std::shared_ptr<boost::asio::ssl::context>> make_tls_context(const std::string& certificate_file,
                                                                    const std::string& key_file);

}  // namespace sida::router
