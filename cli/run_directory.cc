#include "cli/run_directory.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace sida::cli {

Result<RunDirectory> RunDirectory::make() {
  std::error_code error;
  const auto temporary = std::filesystem::temp_directory_path(error);
  std::string path = ((error ? std::filesystem::path("/tmp") : temporary) / "sida-XXXXXX").string();
  constexpr std::size_t kSocketNameRoom = 32;  // "/predictor-0.sock", and what a transport adds to it.
  constexpr std::size_t kSocketPathMax = 107;
  if (path.size() + kSocketNameRoom > kSocketPathMax) {
    return fail(ErrorCode::kIo, path + " is too long for Unix sockets: set TMPDIR to a shorter folder");
  }
  if (::mkdtemp(path.data()) == nullptr) {
    return fail(ErrorCode::kIo, path + " cannot be made: " + std::strerror(errno));
  }
  return RunDirectory(path);
}

RunDirectory::RunDirectory(RunDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}

RunDirectory::~RunDirectory() {
  if (!path_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
}

Result<std::uint16_t> free_port(const std::string& host, std::uint16_t wanted) {
  namespace net = boost::asio;
  boost::system::error_code error;
  const auto address = net::ip::make_address(host, error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument, "--host: '" + host + "' is no IP address (write 127.0.0.1 or ::1)");
  }
  net::io_context context;
  net::ip::tcp::acceptor acceptor(context);
  const net::ip::tcp::endpoint endpoint(address, wanted);
  acceptor.open(endpoint.protocol(), error);
  if (!error) {
    acceptor.set_option(net::socket_base::reuse_address(true), error);
  }
  if (!error) {
    acceptor.bind(endpoint, error);
  }
  if (!error) {
    acceptor.listen(1, error);
  }
  if (error) {
    return fail(ErrorCode::kIo, "port " + std::to_string(wanted) + " of " + host + ": " + error.message() +
                                    "; end what listens there, or choose another with --port and --admin-port");
  }
  return acceptor.local_endpoint().port();
}

}  // namespace sida::cli
