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
  const char* remedy = error == ENOSPC || error == EDQUOT ? "; make room and try again" : "";
  return fail(ErrorCode::kIo, path.string() + ": " + what + ": " + std::generic_category().message(error) + remedy);
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
  file.position_ = file.written_ = file.begun_ = bytes;
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      position_(std::exchange(other.position_, 0)),
      direct_(std::exchange(other.direct_, false)),
      written_(std::exchange(other.written_, 0)),
      begun_(std::exchange(other.begun_, 0)) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(position_, other.position_);
  std::swap(direct_, other.direct_);
  std::swap(written_, other.written_);
  std::swap(begun_, other.begun_);
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
    if (count < 0 && errno == EINVAL && direct_) {  // Some file systems take the flag and not the writes.
      direct_ = false;
      ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) & ~O_DIRECT);
      continue;
    }
    if (count < 0) return failed(path_, "cannot write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

void OutputFile::go_direct() {
  direct_ = ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) | O_DIRECT) == 0;
}

void OutputFile::write_behind() {
  const auto range = [this](std::uint64_t from, std::uint64_t to, unsigned flags) {
    ::sync_file_range(descriptor_, static_cast<off_t>(from), static_cast<off_t>(to - from), flags);
  };
  // Failures show in finish().
  range(begun_, position_, SYNC_FILE_RANGE_WRITE);
  range(written_, begun_, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  ::posix_fadvise(descriptor_, static_cast<off_t>(written_), static_cast<off_t>(begun_ - written_),
                  POSIX_FADV_DONTNEED);
  written_ = begun_;
  begun_ = position_;
}

Result<void> OutputFile::finish() {
  if (::fsync(descriptor_) != 0) return failed(path_, "cannot write", errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) return failed(path_, "cannot close", errno);
  return {};
}

Result<void> write_text_file(const std::filesystem::path& path, std::string_view text) {
  auto file = OutputFile::create(path);
  if (!file) return tl::unexpected(std::move(file).error());
  SIDA_TRY(file->append(text));
  return file->finish();
}

}  // namespace sida::model
