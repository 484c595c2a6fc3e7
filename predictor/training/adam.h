// Adam (Kingma and Ba, ICLR 2015), with the gradient's norm bounded.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include "predictor/training/parameters.h"

namespace sida::predictor {

class Adam {
 public:
  // The parameters outlive it. `copied_rate` is times the rate, for weights that began as the model's.
  Adam(Parameters& parameters, double copied_rate);

  // One step along the gradients, which are cleared.
  void step(double rate);

  // What a checkpoint keeps: both moments of every parameter, by "first." or "second." and its name.
  [[nodiscard]] std::map<std::string, at::Tensor> state() const;
  // Of tensors that state() gave and that were filled since: they are the moments themselves.
  void set_steps(std::int64_t steps) { steps_ = steps; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }

 private:
  struct Moments {
    at::Tensor first;
    at::Tensor second;
  };
  [[nodiscard]] double clipping() const;

  Parameters& parameters_;
  double copied_rate_;
  std::map<std::string, Moments> moments_;
  std::int64_t steps_ = 0;
};

}  // namespace sida::predictor
