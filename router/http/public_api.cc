#include "router/http/public_api.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "common/base/random_id.h"
#include "common/base/version.h"
#include "router/http/completions_request.h"
#include "router/http/completions_response.h"
#include "router/http/job_runner.h"
#include "router/http/json_fields.h"
#include "router/http/score.h"
#include "router/http/status_json.h"
#include "router/http/tokenize.h"
#include "router/http/trace_parent.h"

namespace sida::router {
namespace {

namespace net = boost::asio;

struct Route {
  std::string_view method;
  std::string_view path;
};

constexpr std::array kRoutes{
    Route{"POST", "/v1/completions"}, Route{"POST", "/v1/score"},   Route{"GET", "/v1/models"},
    Route{"POST", "/tokenize"},       Route{"POST", "/detokenize"}, Route{"GET", "/version"},
    Route{"GET", "/health"},
};

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string hex_id(const char* prefix, std::uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return prefix + std::string(text.data());
}

// Known path and method, JSON where a body is due. Requiring the content type keeps other sites' pages in a browser on
// this machine from posting here.
ApiResult<void> check_route(const HttpRequest& request) {
  bool known_path = false;
  for (const Route& route : kRoutes) {
    if (route.path != request.path) {
      continue;
    }
    known_path = true;
    if (route.method == request.method) {
      if (request.method == "POST" && request.content_type != "application/json") {
        return tl::unexpected<ApiError>(
            ApiError{415, "unsupported_media_type", "send the header Content-Type: application/json", ""});
      }
      return {};
    }
  }
  return tl::unexpected<ApiError>(
      known_path ? ApiError{405, "method_not_allowed", "this path does not take " + request.method, ""}
                 : ApiError{404, "route_not_found", "no such path; docs/api.md lists them", ""});
}

std::string endpoint_label(const HttpRequest& request) {
  for (const Route& route : kRoutes) {
    if (route.path == request.path) {
      return request.path;
    }
  }
  return "other";
}

template <typename T>
Reply reply_of(const ApiResult<T>& result) {
  return result ? json_reply(*result) : error_reply(result.error());
}

}  // namespace

PublicApi::PublicApi(Engine& engine, ServedModel model, HttpLimits limits, HttpProbe& probe)
    : engine_(engine),
      model_(std::move(model)),
      limits_(limits),
      probe_(probe),
      seed_base_(random_id()),
      started_(unix_seconds()) {}

net::awaitable<Reply> PublicApi::handle(HttpRequest request, ClientWatch& client) {
  const TimePoint begun = steady_now();
  Reply reply = co_await route(request, client);
  probe_.request_answered(endpoint_label(request), reply.outcome, steady_now() - begun);
  co_return reply;
}

net::awaitable<Reply> PublicApi::route(const HttpRequest& request, ClientWatch& client) {
  if (auto known = check_route(request); !known) {
    co_return error_reply(known.error());
  }
  if (request.path == "/health") {
    co_return health_reply(engine_.status());
  }
  if (request.path == "/version") {
    co_return json_reply({{"version", version()}});
  }
  if (request.path == "/v1/models") {
    co_return models();
  }
  if (request.path == "/v1/completions") {
    co_return co_await complete(request, client);
  }
  if (request.path == "/v1/score") {
    co_return co_await score(request, client);
  }
  const auto body = parse_json_object(request.body, limits_.json_depth_max);
  if (!body) {
    co_return error_reply(body.error());
  }
  co_return request.path == "/tokenize" ? reply_of(tokenize(*body, model_, limits_))
                                        : reply_of(detokenize(*body, model_));
}

net::awaitable<Reply> PublicApi::complete(const HttpRequest& request, ClientWatch& client) {
  const auto body = parse_json_object(request.body, limits_.json_depth_max);
  if (!body) {
    co_return error_reply(body.error());
  }
  const auto parsed = parse_completions(*body, model_, limits_, seed_base_ ^ (requests_ << 16U));
  if (!parsed) {
    co_return error_reply(parsed.error());
  }
  std::vector<Job> jobs = jobs_of(*parsed);
  for (Job& job : jobs) {
    prepare(job, request);
  }
  const ResponseMeta meta{hex_id("cmpl-", seed_base_ + jobs.front().request.value), unix_seconds()};
  // A job that is ended early has no routing to report, so one whose routing is wanted runs on.
  Enough enough;
  if (!parsed->stop.empty() && !parsed->return_routing) {
    enough = [this, stop = parsed->stop](const std::vector<GeneratedToken>& tokens) {
      return reaches_stop(model_, stop, tokens);
    };
  }
  const auto results = co_await run_jobs(engine_, std::move(jobs), std::move(enough), client);
  if (!results) {
    co_return error_reply(results.error());
  }
  co_return json_reply(completions_response(meta, *parsed, model_, *results));
}

net::awaitable<Reply> PublicApi::score(const HttpRequest& request, ClientWatch& client) {
  const auto body = parse_json_object(request.body, limits_.json_depth_max);
  if (!body) {
    co_return error_reply(body.error());
  }
  const auto parsed = parse_score(*body, model_, limits_);
  if (!parsed) {
    co_return error_reply(parsed.error());
  }
  std::vector<Job> jobs;
  jobs.push_back(job_of(*parsed));
  prepare(jobs.front(), request);
  const ResponseMeta meta{hex_id("score-", seed_base_ + jobs.front().request.value), unix_seconds()};
  const auto results = co_await run_jobs(engine_, std::move(jobs), Enough(), client);
  if (!results) {
    co_return error_reply(results.error());
  }
  co_return json_reply(score_response(meta, *parsed, model_, results->front()));
}

Reply PublicApi::models() const {
  return json_reply(
      {{"object", "list"},
       {"data", nlohmann::json::array(
                    {{{"id", model_.name}, {"object", "model"}, {"created", started_}, {"owned_by", "sida"}}})}});
}

void PublicApi::prepare(Job& job, const HttpRequest& request) {
  job.request = RequestId(++requests_);
  job.deadline = steady_now() + limits_.request_timeout;
  job.trace = parse_trace_parent(request.trace_parent);
}

}  // namespace sida::router
