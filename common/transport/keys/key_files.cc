#include "common/transport/keys/key_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

namespace sida::transport {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBlanks = " \t\r";

tl::unexpected<Error> refuse(const std::string& place, const std::string& why) {
  return fail(ErrorCode::kInvalidArgument, place + ": " + why);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

Result<std::string> read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kKeyFileBytesMax + 1, '\0');
  if (!file) return refuse(path, std::string("cannot be read: ") + std::strerror(errno));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.fail() && !file.eof())) return refuse(path, "cannot be read; is it a file?");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kKeyFileBytesMax) return refuse(path, "is too large for a file of keys");
  return text;
}

// "#" is a digit of Z85, but no key begins with it: five such digits are more than 32 bits hold.
bool is_comment(std::string_view line) {
  return line.starts_with('#');
}

Result<std::string> read_secret_key(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return refuse(path, std::string("cannot be read: ") + std::strerror(errno) + "; 'sida keys' makes keys");
  }
  if ((status.st_mode & S_IRWXO) != 0)
    return refuse(path, "holds a secret, and others may read it; run chmod 600 on it");
  const auto text = read_text(path);
  if (!text) return tl::unexpected(text.error());
  std::string_view rest = *text;
  std::string key;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || is_comment(line)) continue;
    if (!key.empty()) return refuse(path, "holds more than one secret key");
    SIDA_TRY(check_link_key(line).map_error([&](Error error) {
      error.message.insert(0, path + ": ");
      return error;
    }));
    key = line;
  }
  if (key.empty()) return refuse(path, "holds no secret key; 'sida keys' makes one");
  return key;
}

// In the order of names, so that messages and tests do not depend on the disk.
Result<std::vector<fs::path>> public_key_files(const fs::path& allowed) {
  std::error_code error;
  if (!fs::is_directory(allowed, error)) return std::vector<fs::path>{allowed};
  std::vector<fs::path> files;
  for (auto entry = fs::directory_iterator(allowed, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (entry->path().extension() == ".pub") files.push_back(entry->path());
  }
  if (error) return refuse(allowed, "cannot be read: " + error.message());
  std::sort(files.begin(), files.end());
  return files;
}

void append_signature(const fs::path& path, std::string& signature) {
  struct stat status {};
  signature += path.string();
  if (stat(path.c_str(), &status) != 0) return;
  for (const auto number : {static_cast<long long>(status.st_mtim.tv_sec),
                            static_cast<long long>(status.st_mtim.tv_nsec), static_cast<long long>(status.st_size),
                            static_cast<long long>(status.st_ino), static_cast<long long>(status.st_mode)}) {
    signature += ' ' + std::to_string(number);
  }
  signature += '\n';
}

Result<void> write_new(const fs::path& path, const std::string& text, mode_t mode) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) {
    const std::string why = errno == EEXIST ? "exists, and keys are never overwritten; remove it or choose another name"
                                            : std::string("cannot be made: ") + std::strerror(errno);
    return fail(ErrorCode::kIo, path.string() + ": " + why);
  }
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(file) == 0;
  if (close(file) == 0 && written) return {};
  return fail(ErrorCode::kIo, path.string() + ": cannot be written: " + std::strerror(errno));
}

}  // namespace

Result<void> add_public_keys(std::string_view text, const std::string& name, LinkKeys& keys) {
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || is_comment(line)) continue;
    const std::size_t blank = std::min(line.find_first_of(kBlanks), line.size());
    const std::string key(line.substr(0, blank));
    const auto checked = check_link_key(key);
    if (!checked) return fail_at("line " + std::to_string(number), checked.error());
    if (keys.allowed.size() >= kAllowedKeysMax) return refuse("line " + std::to_string(number), "too many keys");
    const std::string own_name(trimmed(line.substr(blank)));
    const std::string& known_as = own_name.empty() ? name : own_name;
    keys.allowed.insert(key);
    if (!known_as.empty()) keys.by_name[known_as].push_back(key);
  }
  return {};
}

Result<LinkKeys> read_link_keys(const KeyPlaces& places) {
  LinkKeys keys;
  auto secret = read_secret_key(places.secret_key_file);
  if (!secret) return tl::unexpected(std::move(secret).error());
  keys.own = {*secret, public_key_of(*secret)};
  const auto files = public_key_files(places.allowed);
  if (!files) return tl::unexpected(files.error());
  for (const fs::path& file : *files) {
    const auto text = read_text(file);
    if (!text) return tl::unexpected(text.error());
    const auto added = add_public_keys(*text, file.extension() == ".pub" ? file.stem().string() : "", keys);
    if (!added) return fail_at(file.string(), added.error());
  }
  if (keys.allowed.empty()) return refuse(places.allowed, "holds no public key, so nobody could connect");
  return keys;
}

std::string signature_of(const KeyPlaces& places) {
  std::string signature;
  append_signature(places.secret_key_file, signature);
  append_signature(places.allowed, signature);
  if (const auto files = public_key_files(places.allowed)) {
    for (const fs::path& file : *files) append_signature(file, signature);
  }
  return signature;
}

Result<KeyPair> write_key_pair(const fs::path& directory, const std::string& name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  if (name.empty() || name.starts_with('.') || name.find_first_not_of(kLetters) != std::string::npos) {
    return fail(ErrorCode::kInvalidArgument, "name '" + name + "': letters, digits, '-', '_' and '.' make one");
  }
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return fail(ErrorCode::kIo, directory.string() + ": cannot be made: " + error.message());
  const fs::path public_file = directory / (name + ".pub");
  // Looked at first, so that no secret key is left alone where only the public one exists.
  if (fs::exists(public_file, error)) return tl::unexpected(write_new(public_file, "", 0644).error());
  KeyPair pair = make_key_pair();
  SIDA_TRY(write_new(directory / (name + ".key"), pair.secret_key + '\n', 0600));
  SIDA_TRY(write_new(public_file, pair.public_key + '\n', 0644));
  return pair;
}

}  // namespace sida::transport
