#include "router/scheduling/worker_demand.h"

#include <algorithm>
#include <cmath>

namespace sida::router {
namespace {

constexpr double kNewTokensWeight = 1.0 / 64;  // Of the newest sequence in the mean.
constexpr Duration kRateInterval = std::chrono::seconds(1);
constexpr double kPeakHalfLifeSeconds = 600;

double seconds_of(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void WorkerDemand::ended(std::uint64_t new_tokens) {
  const auto length = static_cast<double>(new_tokens);
  new_tokens_ = new_tokens_ == 0 ? length : new_tokens_ + kNewTokensWeight * (length - new_tokens_);
}

void WorkerDemand::served(std::uint64_t rows_served, std::size_t workers, TimePoint now) {
  if (began_ && now - last_ < kRateInterval) return;
  // Fewer than before: a worker was started anew, or is gone.
  if (began_ && workers > 0 && rows_served >= last_rows_) {
    const double took = seconds_of(now - last_);
    const double rate = static_cast<double>(rows_served - last_rows_) / took / static_cast<double>(workers);
    peak_ = std::max(peak_ * std::exp2(-took / kPeakHalfLifeSeconds), rate);
  }
  began_ = true;
  last_rows_ = rows_served;
  last_ = now;
}

double WorkerDemand::rows_of(const RemainingWork& work) const {
  // It goes on at least one token, however long it is already.
  const double foreseen = new_tokens_ == 0 ? static_cast<double>(work.new_tokens_max)
                                           : std::max(1.0, new_tokens_ - static_cast<double>(work.new_tokens));
  const double left = std::min(foreseen, static_cast<double>(work.new_tokens_max));
  return static_cast<double>(work.source_tokens) * layers_.encoder +
         (static_cast<double>(work.target_tokens) + left) * layers_.decoder;
}

double WorkerDemand::workers(double queued_rows, double announced) const {
  const double rate = std::max(peak_, announced);
  return rate > 0 ? queued_rows / (rate * seconds_of(horizon_)) : 0;
}

}  // namespace sida::router
