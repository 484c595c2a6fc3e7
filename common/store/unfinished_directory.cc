#include "common/store/unfinished_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "common/model/read_only_file.h"

namespace sida::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kJournalBytesMax = 128U << 20U;  // A line of 17 bytes per expert.

std::string reason(int error) {
  return std::generic_category().message(error);
}

tl::unexpected<Error> cannot(const fs::path& path, const char* what, int error) {
  return fail(ErrorCode::kIo, path.string() + ": cannot " + what + ": " + reason(error));
}

Result<void> sync_directory(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return cannot(path, "open", errno);
  const int failed = ::fsync(descriptor) != 0 ? errno : 0;
  ::close(descriptor);
  if (failed != 0) return cannot(path, "write", failed);
  return {};
}

// True when it was there before.
Result<bool> make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) {
    return fail(ErrorCode::kIo, path.parent_path().string() + ": cannot create: " + error.message() +
                                    "; name a place that you may write to");
  }
  const bool made = fs::create_directory(path, error);
  if (error) {
    return fail(ErrorCode::kIo,
                path.string() + ": cannot create: " + error.message() + "; name a place that you may write to");
  }
  return !made;
}

// Unlike rename(), does not replace an empty directory that somebody made in the meantime; where the file system has no
// such renaming (NFS), one that was made in the last instant. Zero, or errno.
int rename_to_absent(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(to, ignored))) return EEXIST;
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

bool holds_nothing(const fs::path& directory) {
  std::error_code error;
  return fs::is_empty(directory, error);
}

}  // namespace

Result<UnfinishedDirectory> UnfinishedDirectory::open(const fs::path& destination, const std::string& identity) {
  fs::path target = fs::absolute(destination).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // Of "folder/".
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(target, ignored))) {
    return fail(ErrorCode::kInvalidArgument,
                destination.string() + ": exists already; remove it or name another place");
  }
  UnfinishedDirectory directory(target, target.string() + ".partial");
  const auto was_there = make_directory(directory.path_);
  if (!was_there) return tl::unexpected(was_there.error());
  SIDA_TRY(directory.lock(*was_there));
  SIDA_TRY(directory.read_journal(identity));
  return directory;
}

UnfinishedDirectory::UnfinishedDirectory(UnfinishedDirectory&& other) noexcept
    : destination_(std::move(other.destination_)),
      path_(std::move(other.path_)),
      journal_(std::exchange(other.journal_, -1)),
      journal_bytes_(other.journal_bytes_),
      notes_begin_(other.notes_begin_),
      notes_(std::move(other.notes_)) {}

UnfinishedDirectory::~UnfinishedDirectory() {
  if (journal_ >= 0) ::close(journal_);
}

// The journal marks the directory as ours, and its lock as taken.
Result<void> UnfinishedDirectory::lock(bool was_there) {
  const fs::path journal = path_ / kJournal;
  std::error_code ignored;
  if (was_there && !fs::exists(journal, ignored) && !holds_nothing(path_)) {
    return fail(ErrorCode::kInvalidArgument,
                path_.string() + ": exists already, and is not what an interrupted run left; remove it");
  }
  journal_ = ::open(journal.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (journal_ < 0) return cannot(journal, "create", errno);
  if (::flock(journal_, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return cannot(journal, "lock", errno);
  return fail(ErrorCode::kInvalidArgument, path_.string() + ": is being written by another process; wait for it");
}

Result<void> UnfinishedDirectory::read_journal(const std::string& identity) {
  const auto text = model::read_text_file(path_ / kJournal, kJournalBytesMax);
  if (!text || !text->starts_with(identity)) return begin_anew(identity);
  notes_begin_ = identity.size();
  for (std::size_t begin = notes_begin_;;) {
    const std::size_t end = text->find('\n', begin);
    journal_bytes_ = begin;
    if (end == std::string::npos) break;  // What follows was not written to its end.
    notes_.push_back(text->substr(begin, end - begin));
    begin = end + 1;
  }
  return {};
}

Result<void> UnfinishedDirectory::begin_anew(const std::string& identity) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    if (entry.path().filename() == kJournal) continue;
    fs::remove_all(entry.path(), error);
    if (error) return fail(ErrorCode::kIo, entry.path().string() + ": cannot remove: " + error.message());
  }
  if (error) return fail(ErrorCode::kIo, path_.string() + ": cannot read: " + error.message());
  if (::ftruncate(journal_, 0) != 0) return cannot(path_ / kJournal, "shorten", errno);
  SIDA_TRY(write(identity));
  notes_begin_ = journal_bytes_;
  return {};
}

Result<void> UnfinishedDirectory::keep_notes(std::size_t count) {
  SIDA_CHECK(count <= notes_.size());
  notes_.resize(count);
  journal_bytes_ = notes_begin_;
  for (const std::string& line : notes_) journal_bytes_ += line.size() + 1;
  if (::ftruncate(journal_, static_cast<off_t>(journal_bytes_)) != 0) return cannot(path_ / kJournal, "shorten", errno);
  return {};
}

Result<void> UnfinishedDirectory::note(std::string_view line) {
  return write(std::string(line) + "\n");
}

Result<void> UnfinishedDirectory::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::pwrite(journal_, text.data(), text.size(), static_cast<off_t>(journal_bytes_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return cannot(path_ / kJournal, "write", errno);
    journal_bytes_ += static_cast<std::uint64_t>(count);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

// The journal goes last: until the directory has its name, another run can go on with it.
Result<void> UnfinishedDirectory::finish() {
  SIDA_TRY(sync_directory(path_));
  if (const int error = rename_to_absent(path_, destination_); error != 0) {
    return fail(ErrorCode::kIo, destination_.string() + ": cannot rename " + path_.string() + ": " + reason(error) +
                                    "; when it is out of the way, the same command goes on");
  }
  if (::unlink((destination_ / kJournal).c_str()) != 0) return cannot(destination_ / kJournal, "remove", errno);
  SIDA_TRY(sync_directory(destination_));
  return sync_directory(destination_.parent_path());
}

void UnfinishedDirectory::discard() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace sida::store
