// The budget sweep of `sida bench offload` as a picture. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace sida::bench {

// `report`: of offload_json(). One SVG: a panel per text and phase, throughput over budget, a line per policy; policies
// without a budget are dashed lines across. Names in it are escaped.
std::string offload_svg(const nlohmann::json& report);

}  // namespace sida::bench
