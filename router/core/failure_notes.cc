#include "router/core/failure_notes.h"

#include <algorithm>
#include <utility>

namespace sida::router {
namespace {

constexpr std::size_t kWhyBytesMax = 1024;

}  // namespace

Result<void> FailureNotes::note(const std::string& name, std::string why, const std::vector<ProcessStatus>& processes) {
  const auto process = std::ranges::find(processes, name, &ProcessStatus::name);
  if (process == processes.end()) return fail(ErrorCode::kNotFound, "no process '" + name + "' in this cluster");
  why.resize(std::min(why.size(), kWhyBytesMax));
  notes_[name] = {std::move(why), process->pid};
  return {};
}

void FailureNotes::apply(std::vector<ProcessStatus>& processes) {
  for (ProcessStatus& process : processes) {
    const auto found = notes_.find(process.name);
    if (found == notes_.end()) continue;
    const bool answers = process.state == "ready" || process.state == "draining";
    if (answers && process.pid != found->second.pid) {
      notes_.erase(found);
    } else if (!answers) {
      process.state = "failed";
      process.detail = found->second.why;
    }
  }
}

}  // namespace sida::router
