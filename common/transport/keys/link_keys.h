// A process's own pair, and the public keys of the peers that it knows. Plain data.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "common/transport/keys/link_key.h"

namespace sida::transport {

struct LinkKeys {
  KeyPair own;
  // By name of the peer: those with which it may answer, several while they are exchanged.
  std::map<std::string, std::vector<std::string>, std::less<>> by_name;
  // All of these, and those that have no name: who may connect.
  std::unordered_set<std::string> allowed;

  [[nodiscard]] bool allows(const std::string& public_key) const { return allowed.contains(public_key); }
  // What a server of this name may answer with; empty: unknown.
  [[nodiscard]] std::vector<std::string> of(std::string_view name) const {
    const auto found = by_name.find(name);
    return found == by_name.end() ? std::vector<std::string>() : found->second;
  }
};

}  // namespace sida::transport
