#include "predictor/training/loss.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <tuple>

#include "predictor/training/training_options.h"

namespace sida::predictor {
namespace {

// Weighs the squared distance against the cross-entropy (tried: 0.1 and 1 learn more slowly at first).
constexpr double kDistanceWeight = 0.3;
// Of the teacher's logits within a token; keeps a gate of equals from exploding the loss.
constexpr double kVarianceMin = 1e-4;

at::Tensor cross_entropy(const at::Tensor& logits, const BatchSide& teacher) {
  const at::Tensor logs = at::log_softmax(logits, -1);
  return -logs.gather(2, teacher.gate.unsqueeze(2)).mean();
}

at::Tensor centred(const at::Tensor& x) {
  return x - x.mean(-1, /*keepdim=*/true);
}

}  // namespace

at::Tensor published_loss(const NamedExperts& named, const BatchSide& teacher) {
  const at::Tensor ours = at::softmax(named.logits.gather(2, teacher.top_experts), -1);
  const at::Tensor theirs = at::softmax(teacher.log_probabilities, -1);
  return (ours - theirs).abs().sum(-1).mean() + kPublishedCrossEntropy * cross_entropy(named.logits, teacher);
}

at::Tensor sharpened_loss(const NamedExperts& named, const BatchSide& teacher) {
  const at::Tensor ours = centred(named.raw.gather(2, teacher.top_experts));
  const at::Tensor theirs = centred(teacher.log_probabilities);
  const at::Tensor variance = theirs.square().mean(at::IntArrayRef{0, 2}, /*keepdim=*/true).clamp_min(kVarianceMin);
  const at::Tensor distance = ((ours - theirs).square() / variance).mean();
  return cross_entropy(named.logits, teacher) + kDistanceWeight * distance;
}

Hits count_hits(const NamedExperts& named, const BatchSide& teacher) {
  const c10::NoGradGuard no_gradients;
  const std::int64_t ranks = std::min<std::int64_t>(3, named.logits.size(2));
  const at::Tensor best = std::get<1>(named.logits.topk(ranks, -1));  // [N, L, ranks]
  const at::Tensor hit = best.eq(teacher.gate.unsqueeze(2));
  const auto summed = [](const at::Tensor& x) { return x.to(at::kDouble).sum(0); };
  // [N, L, ranks, top]: where the teacher lists our experts.
  const at::Tensor listed = best.unsqueeze(3).eq(teacher.top_experts.unsqueeze(2));
  const at::Tensor mass = (listed * teacher.log_probabilities.exp().unsqueeze(2)).sum({2, 3});
  return {summed(hit.select(2, 0)), summed(hit.any(2)), summed(mass), teacher.count()};
}

}  // namespace sida::predictor
