#include "router/http/public_api.h"

#include <spdlog/spdlog.h>

#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <optional>

#include "common/base/random_id.h"
#include "common/base/version.h"
#include "common/runtime/alive_file.h"
#include "router/http/completions_stream.h"
#include "router/http/growing_text.h"
#include "router/http/inference_protocol.h"
#include "router/http/job_runner.h"
#include "router/http/job_stream.h"
#include "router/http/json_fields.h"
#include "router/http/openapi.h"
#include "router/http/request_deadline.h"
#include "router/http/request_id.h"
#include "router/http/score.h"
#include "router/http/status_json.h"
#include "router/http/tokenize.h"
#include "router/http/trace_parent.h"

namespace sida::router {
namespace {

namespace net = boost::asio;
using nlohmann::json;

constexpr const char* kStopping = "the server is shutting down; send the request again later";

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

HttpRequest without_body(const HttpRequest& request) {
  HttpRequest copy = request;
  copy.body.clear();
  copy.authorization.clear();
  return copy;
}

// One line for each request. What only looks is for whoever asks for it: probes come every second.
void log_answer(const HttpRequest& request, const std::string& outcome, Duration took) {
  const auto level = request.method == "POST" ? spdlog::level::info : spdlog::level::debug;
  const double ms = std::chrono::duration<double, std::milli>(took).count();
  spdlog::log(level, "request answered id={} endpoint={} outcome={} ms={:.1f} trace={}", request.id,
              endpoint_label(request), outcome, ms, trace_id_text(parse_trace_parent(request.trace_parent)));
}

template <typename T>
Reply reply_of(const ApiResult<T>& result) {
  return result ? json_reply(*result) : error_reply(result.error());
}

}  // namespace

PublicApi::PublicApi(Engine& engine, ServedModel model, HttpLimits limits, ApiKeys keys, HttpProbe& probe)
    : engine_(engine),
      model_(std::move(model)),
      limits_(limits),
      keys_(std::move(keys)),
      probe_(probe),
      seed_base_(random_id()),
      started_(unix_seconds()) {}

// What a streamed answer needs until its end.
struct PublicApi::Streaming {
  CompletionsRequest request;
  ResponseMeta meta;
  HttpRequest http;  // Without its body.
  std::shared_ptr<JobStream> jobs;
  std::vector<ChoiceStream> choices;
  TimePoint begun = steady_now();
};

net::awaitable<Answer> PublicApi::handle(HttpRequest request, ClientWatch& client) {
  const TimePoint begun = steady_now();
  if (!is_request_id(request.id)) {
    request.id = hex_id("req-", seed_base_ + ++answers_);
  }
  Answer answer = co_await route(request, client);
  if (!answer.events) {  // A stream is counted at its end.
    answered(request, answer.reply.outcome, begun);
  }
  answer.reply.headers.emplace_back("X-Request-Id", request.id);
  co_return answer;
}

void PublicApi::answered(const HttpRequest& request, const std::string& outcome, TimePoint begun) {
  const Duration took = steady_now() - begun;
  probe_.request_answered(endpoint_label(request), outcome, took);
  log_answer(request, outcome, took);
}

net::awaitable<Answer> PublicApi::route(const HttpRequest& request, ClientWatch& client) {
  // First of all, so that no path is forgotten and a stranger learns of none.
  if (auto refused = refuse_stranger(keys_, request)) {
    co_return Answer{*std::move(refused), {}};
  }
  if (auto refused = refuse_route(request)) {
    co_return Answer{*std::move(refused), {}};
  }
  if (refusing_ && request.method == "POST") {
    const ApiError stopping = api_error({ErrorCode::kUnavailable, kStopping});
    co_return Answer{is_inference_protocol(request.path) ? protocol_error(stopping) : error_reply(stopping), {}};
  }
  if (const auto time = time_allowed(request, limits_); !time) {
    co_return Answer{error_reply(time.error()), {}};
  }
  if (request.path == "/v1/completions") {
    Answer answer = co_await complete(request, client);
    co_return answer;
  }
  Answer answer;
  if (is_inference_protocol(request.path)) {
    answer.reply = co_await inference_protocol(*find_route(request.path), request, client);
  } else if (request.path == "/v1/score") {
    answer.reply = co_await score(request, client);
  } else if (request.path == "/health") {
    answer.reply = health();
  } else if (request.path == "/version") {
    answer.reply = json_reply({{"version", version()}});
  } else if (request.path.starts_with("/v1/models")) {
    answer.reply = models(named_in(request));
  } else if (request.path == "/openapi.json") {
    answer.reply.body = openapi_text();
  } else {
    answer.reply = translate(request);
  }
  co_return answer;
}

Reply PublicApi::translate(const HttpRequest& request) const {
  const auto body = parse_json_object(request.body, limits_.json_depth_max);
  if (!body) {
    return error_reply(body.error());
  }
  return request.path == "/tokenize" ? reply_of(tokenize(*body, model_, limits_)) : reply_of(detokenize(*body, model_));
}

net::awaitable<Answer> PublicApi::complete(const HttpRequest& request, ClientWatch& client) {
  const auto body = parse_json_object(request.body, limits_.json_depth_max);
  if (!body) {
    co_return Answer{error_reply(body.error()), {}};
  }
  auto parsed = parse_completions(*body, model_, limits_, seed_base_ ^ (requests_ << 16U));
  if (!parsed) {
    co_return Answer{error_reply(parsed.error()), {}};
  }
  std::vector<Job> jobs = jobs_of(*parsed);
  prepare(jobs, request);
  const ResponseMeta meta{hex_id("cmpl-", seed_base_ + jobs.front().request.value), unix_seconds()};
  if (parsed->stream) {
    const auto executor = co_await net::this_coro::executor;
    const auto streaming = std::make_shared<Streaming>(Streaming{*std::move(parsed), meta, without_body(request)});
    Answer answer = start_stream(executor, streaming, std::move(jobs), client);
    if (!answer.events) co_return answer;
    // Whether there is room is known a moment later; a status can only be told before the first event.
    if (const auto refused = co_await streaming->jobs->refusal()) {
      streaming->jobs->cancel_all();
      while (streaming->jobs->running() > 0) co_await streaming->jobs->next();
      client.on_gone(nullptr);
      co_return Answer{error_reply(api_error(*refused)), {}};
    }
    co_return answer;
  }
  // A job that is ended early has no routing to report, so one whose routing is wanted runs on.
  Enough enough;
  if (!parsed->stop.empty() && !parsed->return_routing) {
    enough = [stop = parsed->stop, texts = std::vector(jobs.size(), GrowingText(model_))](
                 std::size_t job, const GeneratedToken& token) mutable {
      return find_stop(texts[job].add(token.token), stop) != std::string::npos;
    };
  }
  const auto results = co_await run_jobs(engine_, std::move(jobs), std::move(enough), client);
  if (!results) {
    co_return Answer{error_reply(results.error()), {}};
  }
  co_return Answer{json_reply(completions_response(meta, *parsed, model_, *results)), {}};
}

Answer PublicApi::start_stream(const net::any_io_executor& executor, const std::shared_ptr<Streaming>& streaming,
                               std::vector<Job> jobs, ClientWatch& client) {
  const std::size_t count = jobs.size();
  auto started = JobStream::start(engine_, executor, std::move(jobs), /*want_tokens=*/true);
  if (!started) {
    return {error_reply(api_error(started.error())), {}};
  }
  streaming->jobs = *started;
  for (std::size_t index = 0; index < count; ++index) {
    streaming->choices.emplace_back(index, streaming->meta, streaming->request, model_);
  }
  client.on_gone([jobs_running = *started] { jobs_running->cancel_all(); });
  Answer answer;
  answer.reply.content_type = "text/event-stream";
  answer.events = [this, streaming](EventSink& sink) { return stream(streaming, sink); };
  return answer;
}

net::awaitable<void> PublicApi::stream(std::shared_ptr<Streaming> streaming, EventSink& sink) {
  std::string outcome = "ok";
  while (streaming->jobs->running() > 0) {
    const JobEvent event = co_await streaming->jobs->next();
    const std::string data = event_data(*streaming, event, outcome);
    if (!data.empty()) {
      // A client that went away cancelled the jobs; their ends are still waited for.
      co_await sink.send(data);
    }
  }
  if (outcome == "ok" && streaming->request.stream_usage) {
    std::size_t tokens = 0;
    for (const ChoiceStream& choice : streaming->choices) {
      tokens += choice.token_count();
    }
    const std::string usage = dump_json(usage_chunk(streaming->meta, streaming->request, model_, tokens));
    co_await sink.send(usage);
  }
  if (outcome == "ok") {
    const std::string done = "[DONE]";
    co_await sink.send(done);
  }
  answered(streaming->http, outcome, streaming->begun);
}

std::string PublicApi::event_data(Streaming& streaming, const JobEvent& event, std::string& outcome) {
  if (const auto* came = std::get_if<TokenCame>(&event)) {
    ChoiceStream& choice = streaming.choices[came->job];
    const auto chunk = choice.add(came->token);
    // A job whose routing is wanted runs on, as without streaming.
    if (choice.reached_stop() && !streaming.request.return_routing) {
      streaming.jobs->cancel(came->job);
    }
    return chunk ? dump_json(*chunk) : "";
  }
  const auto& ended = std::get<JobEnded>(event);
  ChoiceStream& choice = streaming.choices[ended.job];
  if (ended.result) {
    return dump_json(choice.finish(ended.result->finish_reason, ended.result->routing));
  }
  if (choice.reached_stop() && ended.result.error().code == ErrorCode::kCancelled) {
    return dump_json(choice.finish(FinishReason::kStop, {}));
  }
  const bool first = outcome == "ok";
  streaming.jobs->cancel_all();
  const Reply error = error_reply(api_error(ended.result.error()));
  outcome = error.outcome;
  return first ? error.body.substr(0, error.body.find('\n')) : "";
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
  prepare(jobs, request);
  const ResponseMeta meta{hex_id("score-", seed_base_ + jobs.front().request.value), unix_seconds()};
  const auto results = co_await run_jobs(engine_, std::move(jobs), Enough(), client);
  if (!results) {
    co_return error_reply(results.error());
  }
  co_return json_reply(score_response(meta, *parsed, model_, results->front()));
}

net::awaitable<Reply> PublicApi::inference_protocol(const Route& route, const HttpRequest& request,
                                                    ClientWatch& client) {
  const auto ready_reply = [this](json body) {
    const bool ready = status().ready;
    body["ready"] = ready;
    Reply reply = json_reply(body);
    reply.status = ready ? 200 : 503;
    return reply;
  };
  if (route.path == "/v2") co_return json_reply(server_metadata());
  if (route.path == "/v2/health/live") {
    // The agent publishes several times a second; one that does not stands still, whatever this thread answers.
    const bool live = steady_now() - engine_.status().published < kStuckAfter;
    Reply reply = json_reply({{"live", live}});
    reply.status = live ? 200 : 503;
    co_return reply;
  }
  if (route.path == "/v2/health/ready") co_return ready_reply(json::object());
  const auto head = find_head(model_, named_in(request));
  if (!head) co_return protocol_error(head.error());
  if (route.path == "/v2/models/{model}") co_return json_reply(head_metadata(model_.heads[*head]));
  if (route.path == "/v2/models/{model}/ready") {
    co_return ready_reply({{"name", model_.heads[*head].name}});
  }
  const auto answer = co_await infer(*head, request, client);
  co_return answer ? json_reply(*answer) : protocol_error(answer.error());
}

net::awaitable<ApiResult<json>> PublicApi::infer(std::size_t head, const HttpRequest& request, ClientWatch& client) {
  const auto body = parse_json_object(request.body, limits_.json_depth_max);
  if (!body) {
    co_return tl::unexpected<ApiError>(body.error());
  }
  const auto parsed = parse_infer(*body, model_, limits_);
  if (!parsed) {
    co_return tl::unexpected<ApiError>(parsed.error());
  }
  std::vector<Job> jobs = jobs_of(*parsed, head);
  prepare(jobs, request);
  const auto results = co_await run_jobs(engine_, std::move(jobs), Enough(), client);
  if (!results) {
    co_return tl::unexpected<ApiError>(results.error());
  }
  co_return infer_response(*parsed, model_.heads[head], *results);
}

RouterStatus PublicApi::status() const {
  RouterStatus status = engine_.status();
  if (refusing_) {
    status.ready = false;
    status.reason = kStopping;
  }
  return status;
}

Reply PublicApi::health() const {
  return health_reply(status());
}

Reply PublicApi::models(const std::string& wanted) const {
  if (const auto known = check_model(model_, wanted); !known) return error_reply(known.error());
  const nlohmann::json served{{"id", model_.name}, {"object", "model"}, {"created", started_}, {"owned_by", "sida"}};
  if (!wanted.empty()) return json_reply(served);
  return json_reply({{"object", "list"}, {"data", nlohmann::json::array({served})}});
}

void PublicApi::prepare(std::vector<Job>& jobs, const HttpRequest& request) {
  const std::uint64_t client = client_of(keys_, request);
  const TimePoint deadline = steady_now() + time_allowed(request, limits_).value_or(limits_.request_timeout);
  const proto::TraceContext trace = parse_trace_parent(request.trace_parent);
  for (Job& job : jobs) {
    job.request = RequestId(++requests_);
    job.client = client;
    job.deadline = deadline;
    job.trace = trace;
  }
}

}  // namespace sida::router
