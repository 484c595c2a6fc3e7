// The private folder of a cluster's Unix sockets, and free ports.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/base/result.h"

namespace sida::cli {

// A new folder that only this user can enter (0700); removed with everything in it when this object goes.
class RunDirectory {
 public:
  // kIo when it cannot be made, or when its path is too long for the names of Unix sockets (107 bytes).
  static Result<RunDirectory> make();

  RunDirectory(RunDirectory&& other) noexcept;
  RunDirectory& operator=(RunDirectory&&) = delete;
  ~RunDirectory();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
};

// `wanted` if nothing listens there, or any free port for 0. kIo, with what to do, when it is taken.
Result<std::uint16_t> free_port(const std::string& host, std::uint16_t wanted);

}  // namespace sida::cli
