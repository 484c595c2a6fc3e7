// A directory that is complete or not there: written as DST.partial, renamed when done. What a killed run left is gone
// on with, or cleared away.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sida::store {

// One thread; one process at a time, which a lock sees to. A run that fails leaves its directory for the next one.
class UnfinishedDirectory {
 public:
  // The file beside what is being written: the identity, then the notes.
  static constexpr const char* kJournal = "unfinished";

  // `identity`: lines, the last with its line break. Makes DST.partial, or takes over the one that a run of the same
  // `identity` left; one of another identity is emptied. Errors: kInvalidArgument (DST exists, another process writes
  // it, or DST.partial is none of ours), kIo.
  static Result<UnfinishedDirectory> open(const std::filesystem::path& destination, const std::string& identity);

  UnfinishedDirectory(UnfinishedDirectory&& other) noexcept;
  UnfinishedDirectory& operator=(UnfinishedDirectory&&) = delete;
  ~UnfinishedDirectory();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // What earlier runs noted, line by line. A run that was killed may have noted more than it got onto the disk.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  // Forgets all notes but the first `count`.
  [[nodiscard]] Result<void> keep_notes(std::size_t count);
  // `line` without a line break.
  [[nodiscard]] Result<void> note(std::string_view line);

  // Everything is on disk: gives the directory its name. Nothing else may be called afterwards.
  [[nodiscard]] Result<void> finish();
  // Removes it.
  void discard();

 private:
  UnfinishedDirectory(std::filesystem::path destination, std::filesystem::path path)
      : destination_(std::move(destination)), path_(std::move(path)) {}
  Result<void> lock(bool was_there);
  Result<void> read_journal(const std::string& identity);
  Result<void> begin_anew(const std::string& identity);
  [[nodiscard]] Result<void> write(std::string_view text);

  std::filesystem::path destination_;
  std::filesystem::path path_;
  int journal_ = -1;
  std::uint64_t journal_bytes_ = 0;
  std::uint64_t notes_begin_ = 0;  // Byte in the journal.
  std::vector<std::string> notes_;
};

}  // namespace sida::store
