#include "common/model/read_only_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace sida::model {

namespace {

std::string reason(int error) {
  return std::generic_category().message(error);
}

}  // namespace

Result<ReadOnlyFile> ReadOnlyFile::open(const std::filesystem::path& path) {
  return open(path, 0);
}

Result<ReadOnlyFile> ReadOnlyFile::open_direct(const std::filesystem::path& path) {
  return open(path, O_DIRECT);
}

Result<ReadOnlyFile> ReadOnlyFile::open(const std::filesystem::path& path, int flags) {
  // O_NONBLOCK, so that a pipe in a model directory cannot hang the process.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
  if (descriptor < 0) {
    const int error = errno;
    return fail(error == ENOENT || error == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo,
                path.string() + ": cannot open: " + reason(error));
  }
  ReadOnlyFile file(descriptor, 0);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return fail(ErrorCode::kIo, path.string() + ": " + reason(errno));
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kInvalidModel, path.string() + ": not a regular file");
  file.size_ = static_cast<std::uint64_t>(status.st_size);
  return file;
}

ReadOnlyFile::ReadOnlyFile(ReadOnlyFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(std::exchange(other.size_, 0)) {}

ReadOnlyFile& ReadOnlyFile::operator=(ReadOnlyFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

ReadOnlyFile::~ReadOnlyFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> ReadOnlyFile::read(std::uint64_t offset, std::span<std::byte> destination) const {
  if (offset > size_ || destination.size() > size_ - offset) {
    return fail(ErrorCode::kInvalidModel, "the file ends too early");
  }
  while (!destination.empty()) {
    constexpr std::size_t kLargestCall = std::size_t{1} << 30U;
    const ssize_t count = ::pread(descriptor_, destination.data(), std::min(destination.size(), kLargestCall),
                                  static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorCode::kIo, "cannot read: " + reason(errno));
    if (count == 0) return fail(ErrorCode::kInvalidModel, "the file was cut short while it was in use");
    destination = destination.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

void ReadOnlyFile::expect_scattered_reads() const {
  ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_RANDOM);
}

void ReadOnlyFile::fetch(std::uint64_t offset, std::uint64_t bytes) const {
  ::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
}

void ReadOnlyFile::forget(std::uint64_t offset, std::uint64_t bytes) const {
  ::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_DONTNEED);
}

Result<void> ReadOnlyFile::check_size_unchanged() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) return fail(ErrorCode::kIo, reason(errno));
  if (static_cast<std::uint64_t>(status.st_size) != size_) {
    return fail(ErrorCode::kInvalidModel, "its size changes while it is being read; wait until it is written");
  }
  return {};
}

Result<std::string> read_text_file(const std::filesystem::path& path, std::uint64_t bytes_max) {
  auto file = ReadOnlyFile::open(path);
  if (!file) return tl::unexpected(std::move(file).error());
  if (file->size() > bytes_max) {
    return fail(ErrorCode::kInvalidModel,
                path.string() + ": longer than the " + std::to_string(bytes_max) + " bytes allowed");
  }
  std::string text(file->size(), '\0');
  if (auto done = file->read(0, std::as_writable_bytes(std::span(text))); !done) {
    return fail_at(path.string(), std::move(done).error());
  }
  return text;
}

}  // namespace sida::model
