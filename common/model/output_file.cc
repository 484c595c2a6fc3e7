#include "common/model/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace sida::model {

namespace {

tl::unexpected<Error> failed(const std::filesystem::path& path, const char* what, int error) {
  return fail(ErrorCode::kIo, path.string() + ": " + what + ": " + std::generic_category().message(error));
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor < 0) return failed(path, "cannot create", errno);
  return OutputFile(path, descriptor);
}

Result<OutputFile> OutputFile::reopen(const std::filesystem::path& path, std::uint64_t bytes) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return failed(path, "cannot open", errno);
  OutputFile file(path, descriptor);
  if (::ftruncate(descriptor, static_cast<off_t>(bytes)) != 0) return failed(path, "cannot shorten", errno);
  file.position_ = bytes;
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      position_(std::exchange(other.position_, 0)) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(position_, other.position_);
  return *this;
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> OutputFile::append(std::span<const std::byte> bytes) {
  SIDA_TRY(write_at(position_, bytes));
  position_ += bytes.size();
  return {};
}

Result<void> OutputFile::append(std::string_view bytes) {
  return append(std::as_bytes(std::span(bytes)));
}

Result<void> OutputFile::overwrite(std::uint64_t offset, std::string_view bytes) {
  SIDA_CHECK(offset + bytes.size() <= position_);
  return write_at(offset, std::as_bytes(std::span(bytes)));
}

Result<void> OutputFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    constexpr std::size_t kLargestCall = std::size_t{1} << 30U;
    const ssize_t count =
        ::pwrite(descriptor_, bytes.data(), std::min(bytes.size(), kLargestCall), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(path_, "cannot write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<void> OutputFile::finish() {
  if (::fsync(descriptor_) != 0) return failed(path_, "cannot write", errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) return failed(path_, "cannot close", errno);
  return {};
}

}  // namespace sida::model
