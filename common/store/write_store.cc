#include "common/store/write_store.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "common/model/checked_model.h"
#include "common/model/fingerprint.h"
#include "common/model/free_space.h"
#include "common/model/output_file.h"
#include "common/model/read_only_file.h"
#include "common/model/safetensors_writer.h"
#include "common/runtime/fork_join.h"
#include "common/store/block_checksum.h"
#include "common/store/block_output.h"
#include "common/store/unfinished_directory.h"
#include "common/tensor/packed_matrix.h"

namespace sida::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPieceBytes = 4U << 20U;
constexpr std::uint64_t kWindowBytes = 32U << 20U;  // Packed bands that wait to be written.

std::uint64_t trunk_bytes(const StoreContents& contents) {
  std::uint64_t bytes = 0;
  for (const model::TensorToWrite& tensor : contents.trunk) bytes += tensor.bytes();
  return bytes;
}

std::string to_text(std::uint64_t checksum) {
  std::array<char, 16> digits{};
  const auto written = std::to_chars(digits.begin(), digits.end(), checksum, 16);
  return {digits.begin(), written.ptr};
}

std::optional<std::uint64_t> to_checksum(const std::string& text) {
  std::uint64_t checksum = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), checksum, 16);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? std::optional(checksum) : std::nullopt;
}

Result<model::Fingerprint> fingerprint_of(const fs::path& directory, const model::StoreManifest& manifest) {
  const auto declared = model::read_model_config(directory);
  if (!declared) return tl::unexpected(declared.error());
  const auto weights = model::WeightFiles::open(directory);
  if (!weights) return tl::unexpected(weights.error());
  const auto checked = model::check_model(*declared, *weights, &manifest);
  if (!checked) return fail_at(directory.string(), checked.error());
  return model::compute_fingerprint(*checked, *weights);
}

// What must be equal for a run to go on with what another one left.
std::string identity_of(const StoreContents& contents) {
  const model::StoreGeometry& geometry = contents.geometry;
  std::string identity =
      "sida store " + std::to_string(model::kStoreVersion) + "\n" + std::string(packed_layout(geometry.dtype)) + "\n";
  for (const std::int64_t size : {geometry.d_model, geometry.d_ff, geometry.moe_layers, geometry.experts_per_layer}) {
    identity += std::to_string(size) + "\n";
  }
  return identity + contents.identity + "\n";
}

// Packed bands that lie together in a block.
struct Window {
  std::vector<std::byte> bytes;
  bool ends_block = false;
};

class StoreWriter {
 public:
  StoreWriter(StoreSource& source, UnfinishedDirectory directory, int threads, const StoreProgress& progress)
      : source_(source),
        contents_(source.contents()),
        geometry_(contents_.geometry),
        directory_(std::move(directory)),
        progress_(progress),
        bytes_total_(store_bytes(contents_)),
        bands_(expert_bands(geometry_)),
        fork_join_(threads),
        staging_(static_cast<std::size_t>(threads)) {}

  Result<void> write() {
    SIDA_TRY(clear_away());
    SIDA_TRY(keep_whole_blocks());
    SIDA_TRY(check_space());
    bytes_done_ = checksums_.size() * geometry_.stride_bytes();
    SIDA_TRY(tell());
    SIDA_TRY(source_.write_description(directory_.path()));
    SIDA_TRY(write_trunk());
    SIDA_TRY(write_blocks());
    SIDA_TRY(write_manifest());
    return directory_.finish();
  }

 private:
  [[nodiscard]] fs::path data_path() const { return directory_.path() / model::kStoreDataFile; }

  Result<void> tell() {
    if (!progress_ || progress_(bytes_done_, bytes_total_)) return {};
    return fail(ErrorCode::kCancelled, "interrupted; the same command goes on where it stopped");
  }

  // Everything but the data file is quickly written again.
  Result<void> clear_away() {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory_.path(), error)) {
      if (entry.path() == data_path() || entry.path().filename() == UnfinishedDirectory::kJournal) continue;
      fs::remove_all(entry.path(), error);
    }
    if (error) return fail(ErrorCode::kIo, directory_.path().string() + ": cannot clear: " + error.message());
    return {};
  }

  // Of the blocks that an earlier run noted, those that are on the disk as noted.
  Result<void> keep_whole_blocks() {
    if (auto file = model::ReadOnlyFile::open(data_path())) {
      std::vector<std::byte> block(geometry_.block_bytes() > kWindowBytes ? kWindowBytes : geometry_.block_bytes());
      for (const std::string& note : directory_.notes()) {
        const auto noted = to_checksum(note);
        if (!noted || checksums_.size() == geometry_.experts() || checksum_of(*file, block) != noted) break;
        checksums_.push_back(*noted);
      }
    }
    return directory_.keep_notes(checksums_.size());
  }

  // Of the block after those that are known; nothing when it is not all there.
  std::optional<std::uint64_t> checksum_of(const model::ReadOnlyFile& file, std::span<std::byte> memory) const {
    const std::uint64_t begin = checksums_.size() * geometry_.stride_bytes();
    if (file.size() < begin + geometry_.stride_bytes()) return std::nullopt;
    BlockChecksum checksum;
    for (std::uint64_t done = 0; done < geometry_.block_bytes(); done += memory.size()) {
      const auto piece = memory.first(std::min<std::uint64_t>(memory.size(), geometry_.block_bytes() - done));
      if (!file.read(begin + done, piece)) return std::nullopt;
      file.forget(begin + done, piece.size());
      checksum.add(piece);
    }
    return checksum.value();
  }

  Result<void> check_space() {
    const std::uint64_t kept = checksums_.size() * geometry_.stride_bytes();
    std::error_code ignored;
    fs::resize_file(data_path(), kept, ignored);  // What is behind is room, too.
    auto fits = model::check_space(directory_.path(), bytes_total_, kept);
    if (!fits && kept == 0) directory_.discard();
    return fits;
  }

  Result<void> write_trunk() {
    auto writer = model::create_safetensors(directory_.path() / "model.safetensors", contents_.trunk);
    if (!writer) return tl::unexpected(std::move(writer).error());
    std::vector<std::byte> buffer(kPieceBytes);
    for (const model::TensorToWrite& tensor : contents_.trunk) {
      for (std::uint64_t done = 0; done < tensor.bytes(); done += buffer.size()) {
        const auto piece = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), tensor.bytes() - done));
        SIDA_TRY(source_.read_trunk(tensor, done, piece));
        SIDA_TRY((*writer)->append(piece));
        bytes_done_ += piece.size();
        SIDA_TRY(tell());
      }
    }
    return (*writer)->finish();
  }

  Result<void> write_blocks() {
    auto output = BlockOutput::open(data_path(), checksums_.size() * geometry_.stride_bytes());
    if (!output) return tl::unexpected(std::move(output).error());
    if (auto done = pack_all(*output); !done) {
      [[maybe_unused]] const auto flushed = output->flush();  // For the run that goes on; this one has its error.
      return done;
    }
    return output->finish();
  }

  // One window is written while the next one is packed.
  Result<void> pack_all(BlockOutput& output) {
    Window packed;
    Window next;
    for (std::uint64_t index = checksums_.size(); index < geometry_.experts(); ++index) {
      for (std::size_t first = 0; first < bands_.size();) {
        const std::size_t last = window_end(first);
        next.ends_block = last == bands_.size();
        SIDA_TRY(
            pack_window(geometry_.key(index), std::span(bands_).subspan(first, last - first), next, packed, output));
        std::swap(packed, next);
        bytes_done_ += packed.bytes.size() + (packed.ends_block ? padding_bytes() : 0);
        SIDA_TRY(tell());
        first = last;
      }
    }
    return write_window(packed, output);
  }

  Result<void> write_window(const Window& window, BlockOutput& output) {
    checksum_.add(window.bytes);
    SIDA_TRY(output.append(window.bytes));
    if (!window.ends_block) return {};
    SIDA_TRY(output.append(std::vector<std::byte>(padding_bytes())));
    checksums_.push_back(checksum_.value());
    checksum_ = BlockChecksum();
    return directory_.note(to_text(checksums_.back()));
  }

  [[nodiscard]] std::uint64_t padding_bytes() const { return geometry_.stride_bytes() - geometry_.block_bytes(); }

  [[nodiscard]] std::size_t window_end(std::size_t first) const {
    std::size_t last = first + 1;
    while (last < bands_.size() && bands_[last].offset + bands_[last].bytes - bands_[first].offset <= kWindowBytes) {
      ++last;
    }
    return last;
  }

  // Writes `packed` meanwhile.
  Result<void> pack_window(ExpertKey key, std::span<const Band> bands, Window& window, const Window& packed,
                           BlockOutput& output) {
    const std::uint64_t begin = bands.front().offset;
    window.bytes.resize(bands.back().offset + bands.back().bytes - begin);
    std::vector<Result<void>> outcomes(bands.size() + 1);
    fork_join_.run(static_cast<std::int64_t>(outcomes.size()), [&](std::int64_t task, int thread) {
      const auto index = static_cast<std::size_t>(task);
      if (index == 0) {
        outcomes[0] = write_window(packed, output);
        return;
      }
      const Band& band = bands[index - 1];
      outcomes[index] = pack_band(key, band, staging_[static_cast<std::size_t>(thread)],
                                  std::span(window.bytes).subspan(band.offset - begin, band.bytes));
    });
    for (auto& outcome : outcomes) SIDA_TRY(std::move(outcome));
    return {};
  }

  Result<void> pack_band(ExpertKey key, const Band& band, std::vector<std::byte>& staging,
                         std::span<std::byte> packed) const {
    const DType stored = contents_.expert_dtypes[2 * geometry_.index(key) + (band.matrix == Matrix::kWo ? 1 : 0)];
    staging.resize(static_cast<std::size_t>(band.rows * band.columns) * bytes_per_element(stored));
    SIDA_TRY(source_.read_rows(key, band, staging));
    pack(staging.data(), stored, band.rows, band.columns, geometry_.dtype, packed);
    return {};
  }

  // The fingerprint is computed from what was written: another one than the source's would be seen.
  Result<void> write_manifest() {
    model::StoreManifest manifest{.geometry = geometry_,
                                  .tokenizer = contents_.tokenizer,
                                  .source_dtypes = contents_.expert_dtypes,
                                  .checksums = std::move(checksums_)};
    const auto fingerprint = fingerprint_of(directory_.path(), manifest);
    if (!fingerprint) return tl::unexpected(fingerprint.error());
    if (contents_.model && *contents_.model != *fingerprint) {
      return fail(ErrorCode::kInvalidModel,
                  directory_.path().string() + ": the trunk is not the source's; did the source change meanwhile?");
    }
    manifest.model = *fingerprint;
    auto file = model::OutputFile::create(directory_.path() / model::kStoreManifestFile);
    if (!file) return tl::unexpected(std::move(file).error());
    SIDA_TRY(file->append(to_json(manifest)));
    return file->finish();
  }

  StoreSource& source_;
  const StoreContents& contents_;
  const model::StoreGeometry& geometry_;
  UnfinishedDirectory directory_;
  const StoreProgress& progress_;
  std::uint64_t bytes_total_;
  std::uint64_t bytes_done_ = 0;
  std::vector<Band> bands_;
  ForkJoin fork_join_;
  std::vector<std::vector<std::byte>> staging_;  // One per thread.
  BlockChecksum checksum_;                       // Of the block that is being written, so far.
  std::vector<std::uint64_t> checksums_;         // Of the blocks that are written.
};

}  // namespace

int packing_threads() {
  // More wait for the disk.
  constexpr unsigned kThreadsMax = 8;
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, kThreadsMax));
}

std::uint64_t store_bytes(const StoreContents& contents) {
  return trunk_bytes(contents) + contents.geometry.data_bytes();
}

Result<void> write_store(const fs::path& destination, StoreSource& source, int threads, const StoreProgress& progress) {
  auto directory = UnfinishedDirectory::open(destination, identity_of(source.contents()));
  if (!directory) return tl::unexpected(std::move(directory).error());
  return StoreWriter(source, *std::move(directory), threads, progress).write();
}

}  // namespace sida::store
