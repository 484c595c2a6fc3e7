// Keys in files. A secret key is a file of its own, closed to others; public keys are "KEY" or "KEY NAME", one a line:
// NAME.pub in a directory (the name is the file's where the line has none), or all in one file. '#' begins a comment.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/transport/keys/link_keys.h"

namespace sida::transport {

struct KeyPlaces {
  std::string secret_key_file;
  std::string allowed;  // A file, or a directory of *.pub.
};

inline constexpr std::size_t kKeyFileBytesMax = 1U << 20U;
inline constexpr std::size_t kAllowedKeysMax = 4096;

// Adds the keys of one text to `keys`. `name`: of those whose line has none; may be empty. kInvalidArgument names the
// line.
Result<void> add_public_keys(std::string_view text, const std::string& name, LinkKeys& keys);

// Blocks on disk. kInvalidArgument names the file and what to do: missing, a secret that others may read, no key, too
// many.
Result<LinkKeys> read_link_keys(const KeyPlaces& places);

// Changes when any of the files does: their times, sizes and inodes. Never fails; a missing file is a state as well.
std::string signature_of(const KeyPlaces& places);

// Makes a pair: DIRECTORY/NAME.key (mode 0600) and DIRECTORY/NAME.pub. kIo when either exists: keys are not
// overwritten.
Result<KeyPair> write_key_pair(const std::filesystem::path& directory, const std::string& name);

}  // namespace sida::transport
