// Sparsemax (Martins and Astudillo, ICML 2016): the projection of scores onto the simplex; most weights become zero.
#pragma once

#include <span>

namespace sida::predictor {

// In place. A row of NaN becomes uniform.
void sparsemax(std::span<float> row);

}  // namespace sida::predictor
