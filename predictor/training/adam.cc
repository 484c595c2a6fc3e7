#include "predictor/training/adam.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace sida::predictor {
namespace {

constexpr double kFirstDecay = 0.9;
constexpr double kSecondDecay = 0.98;  // Of transformers (Vaswani et al. 2017).
constexpr double kEpsilon = 1e-8;
constexpr double kNormMax = 1.0;

}  // namespace

Adam::Adam(Parameters& parameters, double copied_rate) : parameters_(parameters), copied_rate_(copied_rate) {
  for (const auto& [name, parameter] : parameters_.all()) {
    moments_[name] = {at::zeros_like(parameter.value.detach()), at::zeros_like(parameter.value.detach())};
  }
}

double Adam::clipping() const {
  double squares = 0;
  for (const auto& [name, parameter] : parameters_.all()) {
    const at::Tensor& gradient = parameter.value.grad();
    if (gradient.defined()) squares += gradient.square().sum().item<double>();
  }
  return std::min(1.0, kNormMax / (std::sqrt(squares) + kEpsilon));
}

void Adam::step(double rate) {
  const c10::NoGradGuard no_gradients;
  const double scale = clipping();
  ++steps_;
  const auto steps = static_cast<double>(steps_);
  const double first_share = 1 - std::pow(kFirstDecay, steps);
  const double second_share = 1 - std::pow(kSecondDecay, steps);
  for (auto& [name, parameter] : parameters_.all()) {
    at::Tensor& gradient = parameter.value.mutable_grad();
    if (!gradient.defined()) continue;
    gradient.mul_(scale);
    Moments& moments = moments_.at(name);
    moments.first.mul_(kFirstDecay).add_(gradient, 1 - kFirstDecay);
    moments.second.mul_(kSecondDecay).addcmul_(gradient, gradient, 1 - kSecondDecay);
    const at::Tensor root = (moments.second / second_share).sqrt_().add_(kEpsilon);
    const double own_rate = parameter.copied ? rate * copied_rate_ : rate;
    parameter.value.addcdiv_(moments.first, root, -own_rate / first_share);
    gradient.reset();
  }
}

std::map<std::string, at::Tensor> Adam::state() const {
  std::map<std::string, at::Tensor> all;
  for (const auto& [name, moments] : moments_) {
    all["first." + name] = moments.first;
    all["second." + name] = moments.second;
  }
  return all;
}

}  // namespace sida::predictor
