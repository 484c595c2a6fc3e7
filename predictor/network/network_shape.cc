#include "predictor/network/network_shape.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace sida::predictor {
namespace {

using nlohmann::json;

// Bounds of what is read: far above what is useful, far below what overflows.
constexpr std::int64_t kWidthMax = 8192;
constexpr std::int64_t kHeadsMax = 256;
constexpr std::int64_t kInnerMax = 65536;
constexpr std::size_t kBlocksMax = 256;

tl::unexpected<Error> invalid(const std::string& key, const std::string& why) {
  return fail(ErrorCode::kInvalidModel, "'network." + key + "' " + why);
}

std::optional<std::int64_t> number(const json& value, std::int64_t min, std::int64_t max) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(max)) return std::nullopt;
  const auto found = value.get<std::int64_t>();
  return found < min || found > max ? std::nullopt : std::optional(found);
}

Result<std::int64_t> number_at(const json& object, const std::string& key, std::int64_t max) {
  const auto found = object.find(key);
  const auto value = found == object.end() ? std::nullopt : number(*found, 1, max);
  if (!value) return invalid(key, "must be a number from 1 to " + std::to_string(max));
  return *value;
}

Result<std::vector<std::int64_t>> numbers_at(const json& object, const std::string& stack, const std::string& key,
                                             std::int64_t max) {
  const std::string name = stack + "." + key;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array() || found->size() > kBlocksMax) {
    return invalid(name, "must be a list of at most " + std::to_string(kBlocksMax) + " numbers");
  }
  std::vector<std::int64_t> values;
  for (const json& element : *found) {
    const auto value = number(element, 0, max);
    if (!value) return invalid(name, "must have numbers from 0 to " + std::to_string(max));
    values.push_back(*value);
  }
  return values;
}

Result<StackShape> parse_stack(const json& network, const std::string& stack, std::int64_t moe_layers) {
  const auto found = network.find(stack);
  if (found == network.end() || !found->is_object()) return invalid(stack, "must be an object");
  auto inner = numbers_at(*found, stack, "inner", kInnerMax);
  if (!inner) return tl::unexpected(std::move(inner).error());
  auto gates = numbers_at(*found, stack, "gates", static_cast<std::int64_t>(kBlocksMax));
  if (!gates) return tl::unexpected(std::move(gates).error());
  if (static_cast<std::int64_t>(gates->size()) != moe_layers) {
    return invalid(stack + ".gates", "must have " + std::to_string(moe_layers) + " elements, the model's MoE layers");
  }
  const auto blocks = static_cast<std::int64_t>(inner->size());
  if (!std::is_sorted(gates->begin(), gates->end()) || (!gates->empty() && gates->back() >= blocks)) {
    return invalid(stack + ".gates", "must name blocks, in rising order");
  }
  return StackShape{std::move(*inner), std::move(*gates)};
}

Result<NetworkShape> parse_miniature(const json& network, const ModelShape& model) {
  NetworkShape shape;
  auto width = number_at(network, "width", kWidthMax);
  if (!width) return tl::unexpected(std::move(width).error());
  auto heads = number_at(network, "heads", kHeadsMax);
  if (!heads) return tl::unexpected(std::move(heads).error());
  auto head_width = number_at(network, "head_width", kWidthMax);
  if (!head_width) return tl::unexpected(std::move(head_width).error());
  if (*heads * *head_width > kWidthMax) return invalid("head_width", "is too large for that many heads");
  auto encoder = parse_stack(network, "encoder", model.encoder_layers);
  if (!encoder) return tl::unexpected(std::move(encoder).error());
  auto decoder = parse_stack(network, "decoder", model.decoder_layers);
  if (!decoder) return tl::unexpected(std::move(decoder).error());
  return NetworkShape{Variant::kMiniature, *width, *heads, *head_width, std::move(*encoder), std::move(*decoder)};
}

using Tensors = std::vector<NetworkTensor>;

void add_attention(const std::string& prefix, const NetworkShape& shape, Tensors& to) {
  const std::int64_t inside = shape.inside_attention();
  to.push_back({prefix + "norm", {shape.width}, TensorRole::kNorm});
  for (const char* name : {"query", "key", "value"}) to.push_back({prefix + name, {inside, shape.width}});
  to.push_back({prefix + "output", {shape.width, inside}});
}

void add_stack(const std::string& stack, const StackShape& blocks, const NetworkShape& shape, std::int64_t experts,
               Tensors& to) {
  to.push_back({stack + "position_bias", {kPositionBuckets, shape.heads}, TensorRole::kPositions});
  for (std::size_t block = 0; block < blocks.inner.size(); ++block) {
    const std::string prefix = stack + "block." + std::to_string(block) + ".";
    add_attention(prefix + "attention.", shape, to);
    if (stack == "decoder.") add_attention(prefix + "cross_attention.", shape, to);
    to.push_back({prefix + "feed_forward.norm", {shape.width}, TensorRole::kNorm});
    if (blocks.inner[block] == 0) continue;
    to.push_back({prefix + "feed_forward.wi", {blocks.inner[block], shape.width}});
    to.push_back({prefix + "feed_forward.wo", {shape.width, blocks.inner[block]}});
  }
  for (std::size_t layer = 0; layer < blocks.gates.size(); ++layer) {
    to.push_back({stack + "gate." + std::to_string(layer), {experts, shape.width}});
  }
  to.push_back({stack + "sharpness", {static_cast<std::int64_t>(blocks.gates.size())}, TensorRole::kSharpness});
}

Tensors miniature_tensors(const NetworkShape& shape, const ModelShape& model) {
  Tensors all;
  if (shape.width != model.d_model) all.push_back({"input", {shape.width, model.d_model}});
  add_stack("encoder.", shape.encoder, shape, model.num_experts, all);
  if (!shape.has_decoder()) return all;
  all.push_back({"encoder.final_norm", {shape.width}, TensorRole::kNorm});
  add_stack("decoder.", shape.decoder, shape, model.num_experts, all);
  return all;
}

Tensors published_tensors(const NetworkShape& shape, const ModelShape& model) {
  const std::int64_t width = shape.width;
  Tensors all{{"input.weight", {width, model.d_model}}, {"input.bias", {width}, TensorRole::kBias}};
  for (std::int64_t layer = 0; layer < kPublishedLstmLayers; ++layer) {
    const std::string prefix = "lstm." + std::to_string(layer) + ".";
    all.push_back({prefix + "input", {4 * width, width}});
    all.push_back({prefix + "recurrent", {4 * width, width}});
    all.push_back({prefix + "bias", {4 * width}, TensorRole::kBias});
  }
  all.push_back({"residual.weight", {width, width}});
  all.push_back({"residual.bias", {width}, TensorRole::kBias});
  all.push_back({"heads.weight", {model.encoder_layers * model.num_experts, width}});
  all.push_back({"heads.bias", {model.encoder_layers * model.num_experts}, TensorRole::kBias});
  return all;
}

}  // namespace

json to_json(const NetworkShape& shape) {
  if (shape.variant == Variant::kPublished) return {{"variant", "published"}, {"width", shape.width}};
  const auto stack = [](const StackShape& s) { return json{{"inner", s.inner}, {"gates", s.gates}}; };
  return {{"variant", "miniature"},
          {"width", shape.width},
          {"heads", shape.heads},
          {"head_width", shape.head_width},
          {"encoder", stack(shape.encoder)},
          {"decoder", stack(shape.decoder)}};
}

Result<NetworkShape> parse_network_shape(const json& network, const ModelShape& model) {
  if (!network.is_object()) return fail(ErrorCode::kInvalidModel, "'network' must be an object");
  const auto found = network.find("variant");
  const auto* variant = found == network.end() ? nullptr : found->get_ptr<const json::string_t*>();
  if (variant != nullptr && *variant == "miniature") return parse_miniature(network, model);
  if (variant == nullptr || *variant != "published") {
    return invalid("variant", "must be \"published\" or \"miniature\"");
  }
  auto width = number_at(network, "width", kWidthMax);
  if (!width) return tl::unexpected(std::move(width).error());
  return NetworkShape{.variant = Variant::kPublished, .width = *width, .encoder = {}, .decoder = {}};
}

std::vector<NetworkTensor> tensors_of(const NetworkShape& shape, const ModelShape& model) {
  return shape.variant == Variant::kPublished ? published_tensors(shape, model) : miniature_tensors(shape, model);
}

std::int64_t encoder_multiplications(const NetworkShape& shape, const ModelShape& model) {
  std::int64_t total = 0;
  for (const NetworkTensor& tensor : tensors_of(shape, model)) {
    if (tensor.role == TensorRole::kMatrix && !tensor.name.starts_with("decoder.")) {
      total += tensor.shape[0] * tensor.shape[1];
    }
  }
  return total;
}

}  // namespace sida::predictor
