// The private folder of a cluster's Unix sockets, and free ports.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/base/result.h"

namespace sida::cli {

// A new folder that only this user can enter (0700); removed with everything in it when this object goes. A process
// that is killed leaves its folder behind: the next one that makes a folder removes those whose owner is gone. A lock
// on a file inside, which ends with the process, tells.
class RunDirectory {
 public:
  // kIo when it cannot be made, or when its path is too long for the names of Unix sockets (107 bytes).
  static Result<RunDirectory> make();
  // Removes the folders in `parent` that processes of this user made and left.
  static void remove_stale(const std::filesystem::path& parent);

  RunDirectory(RunDirectory&& other) noexcept;
  RunDirectory& operator=(RunDirectory&&) = delete;
  ~RunDirectory();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  RunDirectory(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::filesystem::path path_;
  int lock_ = -1;
};

// A port that nothing listens on, kept from other `sida serve` until this object goes: a router takes a while to bind
// it, and of two that start at once the second must not find out so late.
class ClaimedPort {
 public:
  // `wanted`, or any free port for 0. kIo, with what to do, when it is taken; kInvalidArgument when `host` is no
  // address.
  static Result<ClaimedPort> claim(const std::string& host, std::uint16_t wanted);

  ClaimedPort(ClaimedPort&& other) noexcept;
  ClaimedPort& operator=(ClaimedPort&&) = delete;
  ~ClaimedPort();

  [[nodiscard]] std::uint16_t number() const { return number_; }

 private:
  ClaimedPort(std::uint16_t number, int claim) : number_(number), claim_(claim) {}

  std::uint16_t number_;
  int claim_;  // A socket with a name that only one process at a time can have, and that ends with it.
};

}  // namespace sida::cli
