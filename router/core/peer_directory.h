// Which peers there should be: those whose address is configured, and one for each address that a configured host name
// stands for now. No I/O.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "router/core/links.h"

namespace sida::router {

// Of one name; beyond, the rest of its addresses in ascending order is left out: a roster has no room for more.
inline constexpr std::size_t kAddressesMax = 1024;

struct Resolution {
  std::string host;
  std::vector<std::string> addresses;  // As an endpoint has them: "10.0.0.2", "[fd00::2]". Empty: none at present.
};

// Empty for endpoints whose host is an address, and for those that have none; else the name: "workers.sida.svc" of
// "tcp://workers.sida.svc:5600". "localhost" is an address.
std::string host_name_of(const std::string& endpoint);

class PeerDirectory {
 public:
  explicit PeerDirectory(std::vector<NamedEndpoint> configured);

  // Names to resolve, each once.
  [[nodiscard]] const std::vector<std::string>& host_names() const { return host_names_; }
  // Those that need no name.
  [[nodiscard]] std::vector<NamedEndpoint> addressed() const;
  // Takes what a name stands for now. A peer found so is called NAME@ADDRESS:PORT and has the key of NAME.
  PeerChange resolved(const Resolution& resolution);
  // Of a change that resolved() told: these come again with the name's next resolution.
  void not_connected(const std::string& host, const std::vector<NamedEndpoint>& peers);

 private:
  std::vector<NamedEndpoint> configured_;
  std::vector<std::string> host_names_;
  std::map<std::string, std::set<std::string>> addresses_;  // By name.
};

}  // namespace sida::router
