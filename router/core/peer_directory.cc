#include "router/core/peer_directory.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string_view>
#include <utility>

namespace sida::router {
namespace {

constexpr std::string_view kTcp = "tcp://";

std::string port_of(const std::string& endpoint) {
  return endpoint.substr(endpoint.rfind(':'));
}

NamedEndpoint at(const NamedEndpoint& named, const std::string& address) {
  const std::string where = address + port_of(named.endpoint);
  return {named.name + "@" + where, std::string(kTcp) + where, named.key()};
}

}  // namespace

std::string host_name_of(const std::string& endpoint) {
  if (!endpoint.starts_with(kTcp)) return "";
  const std::size_t port = endpoint.rfind(':');
  if (port < kTcp.size()) return "";  // That of the scheme: no port.
  const std::string host = endpoint.substr(kTcp.size(), port - kTcp.size());
  in_addr v4{};
  const bool is_name =
      !host.empty() && host != "localhost" && inet_pton(AF_INET, host.c_str(), &v4) != 1 &&
      std::ranges::all_of(host, [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-'; });
  return is_name ? host : "";
}

PeerDirectory::PeerDirectory(std::vector<NamedEndpoint> configured) : configured_(std::move(configured)) {
  for (const NamedEndpoint& peer : configured_) {
    const std::string host = host_name_of(peer.endpoint);
    if (!host.empty() && std::ranges::find(host_names_, host) == host_names_.end()) host_names_.push_back(host);
  }
}

std::vector<NamedEndpoint> PeerDirectory::addressed() const {
  std::vector<NamedEndpoint> peers;
  std::ranges::copy_if(configured_, std::back_inserter(peers),
                       [](const NamedEndpoint& peer) { return host_name_of(peer.endpoint).empty(); });
  return peers;
}

PeerChange PeerDirectory::resolved(const Resolution& resolution) {
  std::set<std::string> now(resolution.addresses.begin(), resolution.addresses.end());
  while (now.size() > kAddressesMax) now.erase(std::prev(now.end()));
  const std::set<std::string> before = std::exchange(addresses_[resolution.host], now);
  PeerChange change;
  for (const NamedEndpoint& named : configured_) {
    if (host_name_of(named.endpoint) != resolution.host) continue;
    for (const std::string& address : now) {
      if (!before.contains(address)) change.come.push_back(at(named, address));
    }
    for (const std::string& address : before) {
      if (!now.contains(address)) change.gone.push_back(at(named, address));
    }
  }
  return change;
}

void PeerDirectory::not_connected(const std::string& host, const std::vector<NamedEndpoint>& peers) {
  for (const NamedEndpoint& peer : peers) {
    std::erase_if(addresses_[host], [&](const std::string& address) {
      return peer.endpoint.starts_with(std::string(kTcp) + address + ":");
    });
  }
}

}  // namespace sida::router
