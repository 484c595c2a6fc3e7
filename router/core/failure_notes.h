// What a supervisor says of processes that cannot be started, until they answer again. No I/O.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "router/core/request.h"

namespace sida::router {

class FailureNotes {
 public:
  // `processes`: as the router sees them. kNotFound for a name that is not among them.
  Result<void> note(const std::string& name, std::string why, const std::vector<ProcessStatus>& processes);
  // Shows them in `processes`, and forgets those of processes that have answered since, by another process id.
  void apply(std::vector<ProcessStatus>& processes);

 private:
  struct Note {
    std::string why;
    std::uint32_t pid = 0;  // When it was noted: the failed process may not be missed yet.
  };
  std::map<std::string, Note> notes_;  // At most one for each process.
};

}  // namespace sida::router
