// A request as it comes from the wire: what is wrong with it, and what handlers see of it.
#pragma once

#include <boost/beast/http.hpp>
#include <optional>

#include "router/http/http_options.h"
#include "router/http/http_request.h"
#include "router/http/reply.h"

namespace sida::router {

using WireParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

// What a client is told when its bytes could not be read; nothing when it hung up or was too slow.
std::optional<ApiError> wire_error(const boost::system::error_code& error);

// The limits of target and headers, and that there is one reading only of where the request ends and of its host.
ApiResult<void> check_headers(const WireParser& parser, const HttpLimits& limits);

// Without the address of the client.
HttpRequest plain_request(boost::beast::http::request<boost::beast::http::string_body>&& request);

}  // namespace sida::router
