#include "predictor/training/parameters.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <utility>

#include "predictor/training/tensor_file.h"

namespace sida::predictor {
namespace {

// What confidences are of before anything is learned: logits of gates are small numbers.
constexpr double kFirstSharpness = 8.0;
// Of random output matrices: a block that knows nothing yet should say little.
constexpr double kQuiet = 0.2;

bool ends_quietly(const std::string& name) {
  return name.ends_with("feed_forward.wo") || name.ends_with("attention.output");
}

at::Tensor first_value(const NetworkTensor& tensor, const NetworkShape& shape, at::Generator generator) {
  const at::TensorOptions fp32(at::kFloat);
  switch (tensor.role) {
    case TensorRole::kNorm:
      return at::ones(tensor.shape, fp32);
    case TensorRole::kSharpness:
      return at::full(tensor.shape, kFirstSharpness, fp32);
    case TensorRole::kBias:
    case TensorRole::kPositions:
      return at::zeros(tensor.shape, fp32);
    case TensorRole::kMatrix:
      break;
  }
  const auto inputs = static_cast<double>(tensor.shape[1]);
  if (shape.variant == Variant::kPublished) {
    return at::empty(tensor.shape, fp32).uniform_(-1 / std::sqrt(inputs), 1 / std::sqrt(inputs), generator);
  }
  double deviation = 1 / std::sqrt(inputs);
  if (ends_quietly(tensor.name)) deviation *= kQuiet;
  if (tensor.name.find(".gate.") != std::string::npos) deviation *= kQuiet;
  // Scores are not divided by the root of the head's width (as in T5), so queries are smaller.
  if (tensor.name.ends_with(".query")) deviation /= std::sqrt(static_cast<double>(shape.head_width));
  return at::empty(tensor.shape, fp32).normal_(0, deviation, generator);
}

// Reads the model's weights into parameters of the same shape.
class Copier {
 public:
  Copier(const model::ModelDirectory& model, std::map<std::string, Parameter>& to) : model_(model), to_(to) {}

  Result<void> copy(const std::string& from, const std::string& name) {
    const model::TensorInfo& info = model_.tensor(from);
    auto values = model_.weights().read_as_fp32(info);
    if (!values) return tl::unexpected(std::move(values).error());
    Parameter& parameter = to_.at(name);
    at::Tensor read = at::from_blob(values->data(), info.shape, at::kFloat);
    if (read.sizes() != parameter.value.sizes()) return {};  // The miniature's own width: it begins at random.
    parameter.value.copy_(read);
    parameter.copied = true;
    return {};
  }

  Result<void> copy_attention(const std::string& from, const std::string& kind, const std::string& name) {
    SIDA_TRY(copy(from + "layer_norm.weight", name + "norm"));
    SIDA_TRY(copy(from + kind + ".q.weight", name + "query"));
    SIDA_TRY(copy(from + kind + ".k.weight", name + "key"));
    SIDA_TRY(copy(from + kind + ".v.weight", name + "value"));
    return copy(from + kind + ".o.weight", name + "output");
  }

  Result<void> copy_stack(const std::string& stack, const StackShape& shape, const std::vector<model::Block>& blocks) {
    const bool decoder = stack == "decoder.";
    SIDA_TRY(copy(stack + "block.0.layer.0.SelfAttention.relative_attention_bias.weight", stack + "position_bias"));
    std::size_t gate = 0;
    for (std::size_t block = 0; block < shape.inner.size(); ++block) {
      const std::string from = stack + "block." + std::to_string(block) + ".layer.";
      const std::string name = stack + "block." + std::to_string(block) + ".";
      SIDA_TRY(copy_attention(from + "0.", "SelfAttention", name + "attention."));
      if (decoder) SIDA_TRY(copy_attention(from + "1.", "EncDecAttention", name + "cross_attention."));
      const std::string last = from + (decoder ? "2." : "1.");
      SIDA_TRY(copy(last + "layer_norm.weight", name + "feed_forward.norm"));
      if (blocks[block].sparse) {
        SIDA_TRY(copy(last + "mlp.router.classifier.weight", stack + "gate." + std::to_string(gate++)));
      } else if (shape.inner[block] > 0) {
        SIDA_TRY(copy(last + "mlp.wi.weight", name + "feed_forward.wi"));
        SIDA_TRY(copy(last + "mlp.wo.weight", name + "feed_forward.wo"));
      }
    }
    return {};
  }

 private:
  const model::ModelDirectory& model_;
  std::map<std::string, Parameter>& to_;
};

}  // namespace

Parameters Parameters::random(const NetworkShape& shape, const ModelShape& model, std::uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  Parameters made;
  for (const NetworkTensor& tensor : tensors_of(shape, model)) {
    at::Tensor value = first_value(tensor, shape, generator);
    value.set_requires_grad(true);
    made.all_[tensor.name] = {std::move(value), false};
    made.roles_[tensor.name] = tensor.role;
  }
  return made;
}

Result<void> Parameters::copy_from(const model::ModelDirectory& model, const NetworkShape& shape) {
  const c10::NoGradGuard no_gradients;
  Copier copier(model, all_);
  SIDA_TRY(copier.copy_stack("encoder.", shape.encoder, model.geometry().encoder));
  if (!shape.has_decoder()) return {};
  SIDA_TRY(copier.copy("encoder.final_layer_norm.weight", "encoder.final_norm"));
  return copier.copy_stack("decoder.", shape.decoder, model.geometry().decoder);
}

Result<void> Parameters::begin_with(const std::filesystem::path& weights) {
  std::map<std::string, at::Tensor> values = snapshot();
  SIDA_TRY(read_tensors(weights, values));
  const c10::NoGradGuard no_gradients;
  for (auto& [name, parameter] : all_) {
    if (!parameter.copied) parameter.value.copy_(values.at(name));
  }
  return {};
}

const at::Tensor& Parameters::at(const std::string& name) const {
  const auto found = all_.find(name);
  SIDA_CHECK(found != all_.end());
  return found->second.value;
}

std::map<std::string, at::Tensor> Parameters::snapshot() const {
  std::map<std::string, at::Tensor> values;
  for (const auto& [name, parameter] : all_) values[name] = parameter.value.detach().clone();
  return values;
}

void Parameters::restore(const std::map<std::string, at::Tensor>& values) {
  const c10::NoGradGuard no_gradients;
  for (auto& [name, parameter] : all_) parameter.value.copy_(values.at(name));
}

Result<void> Parameters::write(const std::filesystem::path& path, DType matrices) const {
  std::map<std::string, at::Tensor> values;
  for (const auto& [name, parameter] : all_) {
    const bool narrow = matrices == DType::kBFloat16 && roles_.at(name) == TensorRole::kMatrix;
    values[name] = parameter.value.detach().to(narrow ? at::kBFloat16 : at::kFloat);
  }
  return write_tensors(path, values);
}

}  // namespace sida::predictor
