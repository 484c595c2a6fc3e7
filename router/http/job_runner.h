// Runs the jobs of one HTTP request on the engine and waits for all of them.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "router/core/request.h"
#include "router/http/awaitable.h"
#include "router/http/client_watch.h"
#include "router/http/reply.h"

namespace sida::router {

// Told each token of each job (its index), on the HTTP thread; true ends the job with what it has.
using Enough = std::function<bool(std::size_t job, const GeneratedToken& token)>;

// One result per job, in their order, or the first error; jobs still running after an error are cancelled and waited
// for. Cancels all when `client` goes away. `enough` may be empty. Jobs need request ids; callbacks are set here.
// `engine` and the executor's context must outlive every callback of the engine.
boost::asio::awaitable<ApiResult<std::vector<JobResult>>> run_jobs(Engine& engine, std::vector<Job> jobs, Enough enough,
                                                                   ClientWatch& client);

}  // namespace sida::router
