#include "cli/bench/kernel_subjects.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cli/bench/aligned_memory.h"
#include "cli/bench/library_layers.h"
#include "common/compute/backend.h"

namespace sida::bench {
namespace {

// Spread, reproducible, representable in bf16 after rounding: no value is special to a multiplier.
std::vector<float> spread_values(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i * 2654435761U % 1000) / 1000 - 0.4995F;
  }
  return values;
}

// Copies of one packed expert, used in turn.
class ColdExperts {
 public:
  ColdExperts(DType dtype, std::size_t bytes)
      : wi_bytes_(packed_bytes(kInnerWidth, kModelWidth, dtype)),
        bytes_(wi_bytes_ + packed_bytes(kModelWidth, kInnerWidth, dtype)),
        copies_(std::max<std::size_t>(1, bytes / bytes_)),
        memory_(copies_ * bytes_) {
    const std::vector<float> plain = spread_values(kInnerWidth * kModelWidth);
    const std::span<std::byte> first(memory_.data(), bytes_);
    ffn_.wi = pack(plain.data(), DType::kFloat32, kInnerWidth, kModelWidth, dtype, first.subspan(0, wi_bytes_));
    ffn_.wo = pack(plain.data(), DType::kFloat32, kModelWidth, kInnerWidth, dtype, first.subspan(wi_bytes_));
    for (std::size_t copy = 1; copy < copies_; ++copy)
      std::memcpy(memory_.data() + copy * bytes_, first.data(), bytes_);
  }
  PackedFfn next() {
    PackedFfn expert = ffn_;
    expert.wi.data = memory_.data() + turn_ * bytes_;
    expert.wo.data = memory_.data() + turn_ * bytes_ + wi_bytes_;
    turn_ = (turn_ + 1) % copies_;
    return expert;
  }
  [[nodiscard]] std::size_t copies() const { return copies_; }

 private:
  std::size_t wi_bytes_;
  std::size_t bytes_;
  std::size_t copies_;
  AlignedMemory memory_;
  PackedFfn ffn_;
  std::size_t turn_ = 0;
};

// Rows that hold spread values.
class OwnedRows {
 public:
  OwnedRows(std::int64_t count, std::int64_t columns, DType dtype)
      : memory_(static_cast<std::size_t>(count * columns) * bytes_per_element(dtype)),
        rows_{memory_.data(), count, columns, dtype} {
    const std::vector<float> values = spread_values(count * columns);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (dtype == DType::kBFloat16) {
        rows_.bf16()[i] = to_bfloat16(values[i]);
      } else {
        rows_.f32()[i] = values[i];
      }
    }
  }
  [[nodiscard]] Rows rows() const { return rows_; }

 private:
  AlignedMemory memory_;
  Rows rows_;
};

}  // namespace

std::int64_t weight_bytes(Layer layer, DType dtype) {
  const auto matrix = kInnerWidth * kModelWidth * static_cast<std::int64_t>(bytes_per_element(dtype));
  return layer == Layer::kExpert ? 2 * matrix : matrix;
}

std::int64_t operations(Layer layer, std::int64_t rows) {
  return (layer == Layer::kExpert ? 4 : 2) * rows * kInnerWidth * kModelWidth;
}

struct KernelSubjects::State {
  explicit State(const SubjectOptions& given)
      : options(given),
        experts(given.dtype, given.weight_bytes),
        library({.dtype = given.dtype,
                 .threads = given.threads,
                 .outputs = kInnerWidth,
                 .inputs = kModelWidth,
                 .copies = experts.copies()}) {}

  Result<void> add_own(std::vector<Subject>& subjects) {
    for (const std::string& kernel : options.cpu_kernels) {
      auto backend = compute::make_cpu_backend({.kernel = kernel, .threads = options.threads});
      if (!backend) return tl::unexpected(std::move(backend).error());
      backends.push_back(std::move(*backend));
      compute::Backend* own = backends.back().get();
      subjects.push_back(
          {kernel, Layer::kLinear, kernel, [this, own] { own->linear(x->rows(), experts.next().wi, inner->rows()); }});
    }
    compute::Backend* best = backends.front().get();
    subjects.push_back({"expert", Layer::kExpert, options.cpu_kernels.front(),
                        [this, best] { best->ffn(x->rows(), experts.next(), y->rows()); }});
    return {};
  }

  void add_library(std::vector<Subject>& subjects) {
    const std::string& peak = options.cpu_kernels.front();
    subjects.push_back({"at::linear", Layer::kLinear, peak, [this] { library.linear(Packing::kPlain); }});
    subjects.push_back({"onednn", Layer::kLinear, peak, [this] { library.linear(Packing::kPacked); }});
    subjects.push_back({"at::linear expert", Layer::kExpert, peak, [this] { library.expert(Packing::kPlain); }});
    subjects.push_back({"onednn expert", Layer::kExpert, peak, [this] { library.expert(Packing::kPacked); }});
  }

  SubjectOptions options;
  ColdExperts experts;
  LibraryLayers library;
  std::vector<std::unique_ptr<compute::Backend>> backends;
  std::unique_ptr<OwnedRows> x, inner, y;
};

KernelSubjects::KernelSubjects(const SubjectOptions& options) : state_(std::make_unique<State>(options)) {}
KernelSubjects::~KernelSubjects() = default;

Result<std::vector<Subject>> KernelSubjects::with_rows(std::int64_t rows) {
  const DType dtype = state_->options.dtype;
  state_->backends.clear();
  state_->x = std::make_unique<OwnedRows>(rows, kModelWidth, dtype);
  state_->inner = std::make_unique<OwnedRows>(rows, kInnerWidth, dtype);
  state_->y = std::make_unique<OwnedRows>(rows, kModelWidth, dtype);
  SIDA_TRY(state_->library.set_rows(rows));
  std::vector<Subject> subjects;
  SIDA_TRY(state_->add_own(subjects));
  state_->add_library(subjects);
  return subjects;
}

}  // namespace sida::bench
