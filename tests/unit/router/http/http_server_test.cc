#include "router/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "common/runtime/alive_file.h"
#include "tests/unit/router/http/fake_engine.h"
#include "tests/unit/router/http/raw_client.h"

namespace sida::router {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string post(const std::string& path, const std::string& body, const std::string& more_headers = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + more_headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

json body_of(const std::string& response) {
  const std::size_t head = response.find("\r\n\r\n");
  return head == std::string::npos ? json() : json::parse(response.substr(head + 4), nullptr, false);
}

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() {
    options_.port = 0;
    options_.admin_port = 0;
    engine_.state.ready = true;
  }

  ~HttpServerTest() override { stop(); }

  void start() {
    auto server =
        HttpServer::listen(options_, {"demo", &tokenizer_, 256, 0, {1}, {{"kind", {"a", "b", "c"}}}}, engine_);
    ASSERT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
    thread_ = std::thread([this] { server_->run(); });
  }

  void stop() {
    if (thread_.joinable()) {
      server_->stop();
      thread_.join();
    }
  }

  // One request on a connection of its own.
  std::string ask(const std::string& bytes) {
    if (!server_) {
      start();
    }
    return RawClient(server_->port()).send(bytes).read_response();
  }

  HttpOptions options_;
  FakeEngine engine_;
  ByteTokenizer tokenizer_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

TEST_F(HttpServerTest, CompletesAPrompt) {
  const std::string response =
      ask(post("/v1/completions", R"({"prompt":"ab","max_tokens":3,"return_token_ids":true})"));
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(body_of(response)["choices"][0]["token_ids"], json({10, 11, 12}));
}

TEST_F(HttpServerTest, AnswersManyPromptsInTheirOrder) {
  const json reply = body_of(ask(post("/v1/completions", R"({"prompt":["a","b"],"n":2,"return_token_ids":true})")));
  ASSERT_EQ(reply["choices"].size(), 4U);
  EXPECT_EQ(reply["choices"][1]["prompt_token_ids"], json({'a', 1}));
  EXPECT_EQ(reply["choices"][2]["prompt_token_ids"], json({'b', 1}));
}

TEST_F(HttpServerTest, ServesTheSmallEndpoints) {
  EXPECT_EQ(body_of(ask(post("/v1/score", R"({"prompt":"a","target":"b"})")))["logprobs"], json({-0.5, -0.5}));
  EXPECT_EQ(body_of(ask(post("/tokenize", R"({"prompt":"a"})")))["tokens"], json({'a', 1}));
  EXPECT_EQ(body_of(ask(post("/detokenize", R"({"tokens":[97]})")))["prompt"], "a");
  EXPECT_EQ(body_of(ask("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"))["data"][0]["id"], "demo");
  EXPECT_TRUE(body_of(ask("GET /version?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")).contains("version"));
}

TEST_F(HttpServerTest, TellsOfAModelByItsName) {
  for (const char* name : {"demo", "d%65mo"}) {
    const json model = body_of(ask("GET /v1/models/" + std::string(name) + " HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_EQ(model["id"], "demo");
    EXPECT_EQ(model["object"], "model");
  }
  for (const char* name : {"other", "demo/", "%00", "%", "%zz"}) {
    const json answer = body_of(ask("GET /v1/models/" + std::string(name) + " HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_EQ(answer["error"]["code"], "model_not_found") << name;
  }
  EXPECT_EQ(body_of(ask("GET /v1/models/ HTTP/1.1\r\nHost: x\r\n\r\n"))["error"]["code"], "route_not_found");
}

TEST_F(HttpServerTest, EchoesThePromptBeforeTheAnswer) {
  EXPECT_EQ(
      body_of(ask(post("/v1/completions", R"({"prompt":"ab","max_tokens":1,"echo":true})")))["choices"][0]["text"],
      "ab<10>");
  RawClient client(server_->port());
  client.send(post("/v1/completions", R"({"prompt":"ab","max_tokens":2,"echo":true,"stream":true})"));
  const std::string text = client.read_until("[DONE]");
  EXPECT_THAT(text, HasSubstr(R"("text":"ab<10>")"));
  EXPECT_THAT(text, HasSubstr(R"("text":"<11>")"));
}

TEST_F(HttpServerTest, ClassifiesByTheOpenInferenceProtocol) {
  const std::string tensor = R"({"inputs":[{"name":"text","datatype":"BYTES","shape":[2],"data":["a","abcd"]}]})";
  const json reply = body_of(ask(post("/v2/models/kind/infer", tensor)));
  EXPECT_EQ(reply["outputs"][0]["data"], json({2.0, 2.5, 0.0, 5.0, 2.5, 0.0}));
  EXPECT_EQ(reply["outputs"][1]["data"], json({"b", "a"}));
  EXPECT_THAT(ask(post("/v2/models/other/infer", tensor)), StartsWith("HTTP/1.1 404"));
  EXPECT_TRUE(body_of(ask(post("/v2/models/kind/infer", "{}")))["error"].is_string());
  EXPECT_EQ(body_of(ask("GET /v2/models/kind HTTP/1.1\r\nHost: x\r\n\r\n"))["parameters"]["labels"],
            json({"a", "b", "c"}));
  EXPECT_THAT(ask("GET /v2/models/kind/ready HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(body_of(ask("GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n"))["name"], "sida");
}

TEST_F(HttpServerTest, TakesTensorsWithoutAContentTypeButNotFromAPage) {
  const std::string tensor = R"({"inputs":[{"name":"input_ids","datatype":"INT64","shape":[1,1],"data":[5]}]})";
  const auto without_type = [&](const std::string& headers) {
    return ask("POST /v2/models/kind/infer HTTP/1.1\r\nHost: x\r\n" + headers +
               "Content-Length: " + std::to_string(tensor.size()) + "\r\n\r\n" + tensor);
  };
  EXPECT_THAT(without_type(""), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(without_type("Origin: http://elsewhere.example\r\n"), StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(without_type("Content-Type: text/plain\r\n"), StartsWith("HTTP/1.1 415"));
}

TEST_F(HttpServerTest, IsNotReadyByTheProtocolWhileWorkersLoad) {
  engine_.state.ready = false;
  EXPECT_THAT(ask("GET /v2/health/ready HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(ask("GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, IsNotLiveWhileItsAgentStandsStill) {
  engine_.state.published = steady_now() - kStuckAfter;
  EXPECT_THAT(ask("GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 503"));
  engine_.state.published = steady_now();
  EXPECT_THAT(ask("GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, KeepsAConnectionForFurtherRequests) {
  start();
  RawClient client(server_->port());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(client.send(post("/tokenize", R"({"prompt":"a"})")).read_response(), HasSubstr("200 OK"));
  }
  const std::string two = post("/tokenize", R"({"prompt":"a"})") + post("/tokenize", R"({"prompt":"bc"})");
  client.send(two);
  EXPECT_EQ(body_of(client.read_response())["count"], 2);
  EXPECT_EQ(body_of(client.read_response())["count"], 3);
}

TEST_F(HttpServerTest, ReadinessFollowsTheEngine) {
  start();
  EXPECT_THAT(ask("GET /health HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("200 OK"));
  stop();
  engine_.state.ready = false;
  server_ = nullptr;
  EXPECT_THAT(ask("GET /health HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("503 Service Unavailable"));
}

TEST_F(HttpServerTest, OverloadIsToldAtOnceWithRetryAfter) {
  engine_.refuse_with = Error{ErrorCode::kOverloaded, "the queue is full"};
  const std::string response = ask(post("/v1/completions", R"({"prompt":"a"})"));
  EXPECT_THAT(response, HasSubstr("503 Service Unavailable"));
  EXPECT_THAT(response, HasSubstr("Retry-After: 1"));
  EXPECT_EQ(body_of(response)["error"]["code"], "overloaded");
}

TEST_F(HttpServerTest, InternalErrorsKeepTheirTextToThemselves) {
  engine_.refuse_with = Error{ErrorCode::kInternal, "worker-0 at 10.0.0.7 threw"};
  const std::string response = ask(post("/v1/completions", R"({"prompt":"a"})"));
  EXPECT_THAT(response, HasSubstr("500 Internal Server Error"));
  EXPECT_THAT(response, ::testing::Not(HasSubstr("10.0.0.7")));
}

TEST_F(HttpServerTest, UnknownPathsMethodsAndTypesAreRefused) {
  EXPECT_EQ(body_of(ask("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"))["error"]["code"], "route_not_found");
  EXPECT_EQ(body_of(ask("GET /v1/completions HTTP/1.1\r\nHost: x\r\n\r\n"))["error"]["code"], "method_not_allowed");
  EXPECT_EQ(
      body_of(
          ask("POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"))["error"]
                                                                                                               ["code"],
      "unsupported_media_type");
  EXPECT_EQ(body_of(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))["error"]["code"], "route_not_found");
}

TEST_F(HttpServerTest, AWrongMethodIsToldTheRightOne) {
  EXPECT_THAT(ask("GET /v1/completions HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("Allow: POST\r\n"));
  EXPECT_THAT(ask("DELETE /health HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("Allow: GET, HEAD\r\n"));
}

TEST_F(HttpServerTest, HeadIsGetWithoutTheBody) {
  start();
  for (const std::uint16_t port : {server_->port(), server_->admin_port()}) {
    RawClient client(port);
    const std::string path = port == server_->port() ? "/health" : "/status";
    const std::string rest = path + " HTTP/1.1\r\nHost: x\r\nX-Request-Id: same\r\n\r\n";
    client.send("HEAD " + rest + "GET " + rest);
    const std::string head = client.read_until("\r\n\r\n");
    EXPECT_THAT(head, HasSubstr("200 OK"));
    EXPECT_THAT(head, HasSubstr("Content-Length: "));
    EXPECT_EQ(client.read_until("\r\n\r\n"), head) << "the next answer follows at once, and says the same";
  }
}

TEST_F(HttpServerTest, TheAdminPortIsApart) {
  start();
  RawClient client(server_->admin_port());
  EXPECT_THAT(client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").read_response(), HasSubstr("sida_ready 1"));
  EXPECT_THAT(client.send("GET /status HTTP/1.1\r\nHost: x\r\n\r\n").read_response(), HasSubstr("\"processes\""));
}

TEST_F(HttpServerTest, ALongHeaderIsRefused) {
  options_.limits.header_bytes_max = 1024;
  EXPECT_THAT(ask("GET /health HTTP/1.1\r\nX: " + std::string(4096, 'a') + "\r\n\r\n"), HasSubstr(" 431 "));
  EXPECT_THAT(ask("GET /" + std::string(400'000, 'a')), HasSubstr(" 431 "));
}

TEST_F(HttpServerTest, ALongTargetIsRefused) {
  options_.limits.target_bytes_max = 100;
  EXPECT_THAT(ask("GET /" + std::string(100, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr(" 414 "));
}

TEST_F(HttpServerTest, ManyHeadersAreRefused) {
  options_.limits.headers_max = 5;
  std::string headers;
  for (int i = 0; i < 6; ++i) {
    headers += "X-" + std::to_string(i) + ": a\r\n";
  }
  EXPECT_EQ(body_of(ask("GET /health HTTP/1.1\r\n" + headers + "\r\n"))["error"]["code"], "too_many_headers");
}

TEST_F(HttpServerTest, ALargeBodyIsRefusedHoweverItsLengthIsTold) {
  options_.limits.body_bytes_max = 100;
  const std::string body(2'000'000, ' ');
  EXPECT_THAT(ask(post("/tokenize", body)), HasSubstr(" 413 "));
  EXPECT_THAT(ask("POST /tokenize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n" + body),
              HasSubstr(" 413 "));
}

TEST_F(HttpServerTest, AChunkedBodyIsReadLikeAnyOther) {
  EXPECT_EQ(body_of(ask("POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=utf-8\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"prompt\r\n6\r\n\":\"a\"}\r\n0\r\n\r\n"))["count"],
            2);
}

TEST_F(HttpServerTest, BothLengthHeadersAtOnceAreRefused) {
  EXPECT_THAT(ask("POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
              HasSubstr(" 400 "));
  EXPECT_THAT(ask("POST /tokenize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
                  "0\r\n\r\n"),
              HasSubstr(" 400 "));
  EXPECT_THAT(ask("POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
              HasSubstr(" 400 "));
}

TEST_F(HttpServerTest, DeepJsonIsRefused) {
  EXPECT_THAT(ask(post("/v1/completions", R"({"prompt":)" + std::string(50, '[') + std::string(50, ']') + "}")),
              HasSubstr("nested deeper"));
}

TEST_F(HttpServerTest, GarbageIsRefusedAndTheConnectionClosed) {
  start();
  RawClient client(server_->port());
  EXPECT_THAT(client.send("\x16\x03\x01 what\r\n\r\n").read_response(), HasSubstr(" 400 "));
  EXPECT_TRUE(client.read_end());
}

TEST_F(HttpServerTest, ConnectionsAboveTheLimitAreRefused) {
  options_.limits.connections_max = 1;
  start();
  RawClient first(server_->port());
  EXPECT_THAT(first.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").read_response(), HasSubstr(" 200 "));
  RawClient second(server_->port());
  const std::string refusal = second.read_response();
  EXPECT_THAT(refusal, HasSubstr(" 503 "));
  EXPECT_THAT(refusal, HasSubstr("Retry-After"));
  EXPECT_EQ(body_of(refusal)["error"]["code"], "too_many_connections");
  EXPECT_TRUE(second.read_end());
}

TEST_F(HttpServerTest, ASilentConnectionIsClosed) {
  options_.limits.idle_timeout = std::chrono::milliseconds(50);
  start();
  EXPECT_TRUE(RawClient(server_->port()).read_end());
}

TEST_F(HttpServerTest, ASlowHeaderOrBodyIsCutOff) {
  options_.limits.header_timeout = std::chrono::milliseconds(50);
  options_.limits.body_timeout = std::chrono::milliseconds(50);
  start();
  EXPECT_TRUE(RawClient(server_->port()).send("GET /health HT").read_end());
  EXPECT_TRUE(
      RawClient(server_->port()).send("POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{").read_end());
}

TEST_F(HttpServerTest, AClientThatDoesNotReadIsCutOff) {
  options_.limits.write_timeout = std::chrono::milliseconds(100);
  start();
  RawClient client(server_->port());
  // Answers of ~100 KB each, until the socket's buffers are full and the server's write does not go on.
  const std::string request = post("/detokenize", json({{"tokens", std::vector<int>(25'000, 200)}}).dump());
  for (int i = 0; i < 200; ++i) {
    client.send(request);
  }
  EXPECT_TRUE(client.read_end());
}

TEST_F(HttpServerTest, AClientThatGoesAwayCancelsItsJobs) {
  engine_.hold = true;
  start();
  RawClient client(server_->port());
  client.send(post("/v1/completions", R"({"prompt":["a","b"]})"));
  ASSERT_TRUE(engine_.wait_for_held(2));
  client.close();
  EXPECT_TRUE(engine_.wait_for_cancelled(2));
}

TEST_F(HttpServerTest, AStopStringEndsGenerationEarly) {
  engine_.hold = true;
  start();
  RawClient client(server_->port());
  client.send(post("/v1/completions", R"({"prompt":"a","stop":"!","return_token_ids":true})"));
  ASSERT_TRUE(engine_.wait_for_held(1));
  engine_.stream_token('o');
  engine_.stream_token('!');
  const json reply = body_of(client.read_response());
  EXPECT_EQ(reply["choices"][0]["text"], "o");
  EXPECT_EQ(reply["choices"][0]["finish_reason"], "stop");
}

// The JSON of each event; the last is [DONE].
std::vector<json> events_of(const std::string& text) {
  std::vector<json> events;
  for (std::size_t at = text.find("data: "); at != std::string::npos; at = text.find("data: ", at + 1)) {
    events.push_back(json::parse(text.substr(at + 6, text.find('\n', at) - at - 6), nullptr, false));
  }
  return events;
}

TEST_F(HttpServerTest, StreamsTokensAsEvents) {
  start();
  RawClient client(server_->port());
  client.send(post("/v1/completions",
                   R"({"prompt":"a","max_tokens":2,"stream":true,"stream_options":{"include_usage":true}})"));
  const std::string text = client.read_until("0\r\n\r\n");
  EXPECT_THAT(text, HasSubstr("Content-Type: text/event-stream"));
  EXPECT_THAT(text, HasSubstr("data: [DONE]\n\n"));
  const auto events = events_of(text);
  ASSERT_EQ(events.size(), 5U);
  EXPECT_EQ(events[0]["choices"][0]["text"], "<10>");
  EXPECT_EQ(events[1]["choices"][0]["text"], "<11>");
  EXPECT_EQ(events[2]["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(events[3]["usage"]["completion_tokens"], 2);
  // The connection serves on.
  EXPECT_THAT(client.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").read_response(), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, AStreamSendsEachTokenBeforeTheNextIsThere) {
  engine_.hold = true;
  start();
  RawClient client(server_->port());
  client.send(post("/v1/completions", R"({"prompt":"a","stream":true,"stop":"!"})"));
  ASSERT_TRUE(engine_.wait_for_held(1));
  engine_.stream_token('o');
  EXPECT_THAT(client.read_until("\n\n"), HasSubstr(R"("text":"o")"));
  engine_.stream_token('!');
  EXPECT_THAT(client.read_until("[DONE]"), HasSubstr(R"("finish_reason":"stop")"));
}

TEST_F(HttpServerTest, AClientThatLeavesAStreamCancelsItsJobs) {
  engine_.hold = true;
  start();
  RawClient client(server_->port());
  client.send(post("/v1/completions", R"({"prompt":"a","n":2,"stream":true})"));
  ASSERT_TRUE(engine_.wait_for_held(2));
  engine_.stream_token('o');
  EXPECT_THAT(client.read_until("\n\n"), HasSubstr("data: "));
  client.close();
  EXPECT_TRUE(engine_.wait_for_cancelled(2));
}

TEST_F(HttpServerTest, ARefusedStreamIsAnOrdinaryError) {
  engine_.refuse_with = Error{ErrorCode::kOverloaded, "the queue is full"};
  EXPECT_THAT(ask(post("/v1/completions", R"({"prompt":"a","stream":true})")), HasSubstr("503 Service Unavailable"));
}

TEST_F(HttpServerTest, JobsCarryDeadlineAndTrace) {
  ask(post("/v1/completions", R"({"prompt":"a"})",
           "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"));
  ASSERT_EQ(engine_.submitted.size(), 1U);
  EXPECT_LT(engine_.submitted[0].deadline, steady_now() + options_.limits.request_timeout);
  EXPECT_EQ(engine_.submitted[0].trace.trace_id[0], 0x0a);
  EXPECT_EQ(engine_.submitted[0].trace.flags, 1);
}

TEST_F(HttpServerTest, ARequestKeepsTheIdThatItsClientGave) {
  EXPECT_THAT(ask(post("/tokenize", R"({"prompt":"a"})", "X-Request-Id: my.id:7\r\n")),
              HasSubstr("X-Request-Id: my.id:7\r\n"));
  EXPECT_THAT(ask(post("/v1/completions", R"({"prompt":"a","stream":true})", "X-Request-Id: my-stream\r\n")),
              HasSubstr("X-Request-Id: my-stream\r\n"));
  EXPECT_THAT(ask(post("/nowhere", "{}", "X-Request-Id: lost\r\n")), HasSubstr("X-Request-Id: lost\r\n"));
}

TEST_F(HttpServerTest, ARequestWithoutAUsableIdGetsOne) {
  for (const std::string& header :
       {std::string(), std::string("X-Request-Id: two words\r\n"), "X-Request-Id: " + std::string(129, 'a') + "\r\n"}) {
    EXPECT_THAT(ask(post("/tokenize", R"({"prompt":"a"})", header)),
                ::testing::ContainsRegex("X-Request-Id: req-[0-9a-f]{16}\r\n"));
  }
}

TEST_F(HttpServerTest, DescribesItself) {
  const json description = body_of(ask("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_EQ(description["openapi"], "3.1.0");
}

TEST_F(HttpServerTest, DrainAnswersWhatIsOpenAndRefusesWhatIsNew) {
  engine_.hold = true;
  start();
  RawClient open(server_->port());
  open.send(post("/v1/completions", R"({"prompt":"a","stream":true,"stop":"!"})"));
  ASSERT_TRUE(engine_.wait_for_held(1));
  server_->drain(std::chrono::minutes(1));
  const std::string refusal = ask(post("/v1/completions", R"({"prompt":"a"})"));
  EXPECT_THAT(refusal, HasSubstr("503 Service Unavailable"));
  EXPECT_THAT(refusal, HasSubstr("Retry-After"));
  EXPECT_EQ(body_of(refusal)["error"]["code"], "unavailable");
  EXPECT_THAT(ask("GET /health HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("shutting down"));
  engine_.stream_token('o');
  engine_.stream_token('!');
  EXPECT_THAT(open.read_until("[DONE]"), HasSubstr(R"("finish_reason":"stop")"));
  thread_.join();  // run() has returned by itself.
}

TEST_F(HttpServerTest, DrainCutsOffWhatOutlastsTheGrace) {
  engine_.hold = true;
  start();
  RawClient open(server_->port());
  open.send(post("/v1/completions", R"({"prompt":"a"})"));
  ASSERT_TRUE(engine_.wait_for_held(1));
  server_->drain(std::chrono::milliseconds(1));
  EXPECT_TRUE(engine_.wait_for_cancelled(1));
  EXPECT_TRUE(open.read_end());
  thread_.join();
}

TEST_F(HttpServerTest, StopEndsConnectionsAndCancelsWhatRuns) {
  engine_.hold = true;
  start();
  RawClient idle(server_->port());
  RawClient waiting(server_->port());
  waiting.send(post("/v1/completions", R"({"prompt":"a"})"));
  ASSERT_TRUE(engine_.wait_for_held(1));
  stop();
  EXPECT_TRUE(engine_.wait_for_cancelled(1));
  EXPECT_TRUE(idle.read_end());
  EXPECT_TRUE(waiting.read_end());
}

TEST_F(HttpServerTest, APortInUseIsNamed) {
  start();
  options_.port = server_->port();
  const auto second = HttpServer::listen(options_, {}, engine_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("port " + std::to_string(options_.port) + " of 127.0.0.1 is in use"));
}

TEST_F(HttpServerTest, ANameIsNoAddress) {
  options_.host = "example";
  EXPECT_EQ(HttpServer::listen(options_, {}, engine_).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace sida::router
