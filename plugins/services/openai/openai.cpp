// SPDX-License-Identifier: Apache-2.0
// Answers from a server that speaks OpenAI's HTTP interface. A request and its answer:
//   POST /v1/chat/completions {"model": "m", "messages": [{"role": "user", "content": "2+2?"}], "max_tokens": 16, "logprobs": true}
//   {"choices": [{"message": {"content": "4"}, "finish_reason": "stop", "logprobs": {"content": [{"token": "4", "logprob": -0.01}]}}]}
#include <nlohmann/json.hpp>

#include "attune/evaluator.h"
#include "attune/plugin.h"
#include "transfers.h"

namespace attune {
namespace {

using Json = nlohmann::ordered_json;

/// The server does not say which number a token has.
constexpr int64_t kUnknownToken = -1;

/// A seed of 31 bits for (seed, id): the streams of requests differ.
uint64_t mixed(uint64_t seed, uint64_t id) {
  uint64_t x = seed * 0x9e3779b97f4a7c15 + id + 1;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return (x ^ (x >> 31)) & 0x7fffffff;
}

class OpenAi {
 public:
  explicit OpenAi(Value options)
      : url_(options["url"].text()), model_(options["model"].text()), logprobs_(options["logprobs"].boolean(true)) {
    while (url_.ends_with('/')) url_.pop_back();
    if (!url_.starts_with("http://") && !url_.starts_with("https://"))
      throw Error("`url`: expected http://... or https://..., found \"" + url_ + "\"");
    settings_ = {.api_key = std::string(options["api_key"].text("")),
                 .concurrency = options["concurrency"].integer(8),
                 .timeout = options["timeout"].number(300),
                 .retries = options["retries"].integer(5),
                 .retry_wait = options["retry_wait"].number(0.5)};
    if (settings_.api_key.find_first_of("\r\n") != std::string::npos)
      throw Error("`api_key`: expected one line, found several");
  }

  void generate(const attune_request* const* requests, size_t n, const attune_answer_sink* sink) const {
    std::vector<openai::Post> posts;
    for (size_t i = 0; i < n; ++i) posts.push_back(post(*requests[i]));
    openai::post_all(posts, settings_, [&](size_t index, const std::string& body) {
      answer(*requests[index], body, sink);
    });
  }

 private:
  openai::Post post(const attune_request& request) const {
    if (request.kind != ATTUNE_REQUEST_GENERATE) {
      throw Error("a server of this interface generates; it does not score given answers. Use an evaluator that generates, or [model]",
                  ATTUNE_E_UNSUPPORTED);
    }
    Json body = {{"model", model_}};
    if (request.raw) {
      body["prompt"] = text_of(request.turns[0], "prompt");
    } else {
      body["messages"] = Json::array();
      for (size_t t = 0; t < request.n_turns; ++t) {
        body["messages"].push_back({{"role", string(request.turns[t].role)}, {"content", text_of(request.turns[t], "prompt")}});
      }
    }
    body["max_tokens"] = request.max_tokens;
    body["temperature"] = request.temperature;
    if (request.top_p < 1) body["top_p"] = request.top_p;
    if (request.top_k > 0) body["top_k"] = request.top_k;
    body["seed"] = mixed(request.seed, request.id);
    for (size_t s = 0; s < request.n_stops; ++s) body["stop"].push_back(string(request.stops[s]));
    if (logprobs_ && request.raw) body["logprobs"] = 0;
    if (logprobs_ && !request.raw) body["logprobs"] = true;
    return {url_ + (request.raw ? "/completions" : "/chat/completions"), body.dump(-1, ' ', false, Json::error_handler_t::replace)};
  }

  static void answer(const attune_request& request, const std::string& body, const attune_answer_sink* sink) {
    const Json reply = Json::parse(body, nullptr, false);
    std::string text;
    std::vector<double> logprobs;
    int32_t stop = ATTUNE_STOP_END;
    try {
      const Json& choice = reply.at("choices").at(0);
      const Json& content = request.raw ? choice.at("text") : choice.at("message").at("content");
      if (!content.is_null()) text = content.get<std::string>();
      if (choice.value("finish_reason", Json()) == "length") stop = ATTUNE_STOP_LENGTH;
      logprobs = logprobs_of(choice, request.raw);
    } catch (const Json::exception& error) {
      throw Error("the server's answer is none of this interface: " + std::string(error.what()) + ": " + body.substr(0, 300),
                  ATTUNE_E_IO);
    }
    const std::vector<int64_t> ids(logprobs.size(), kUnknownToken);
    attune_answer made{};
    made.size = ATTUNE_END(attune_answer, n_outputs);
    made.stop = stop;
    made.id = request.id;
    made.text = str(text);
    made.ids = ids.data();
    made.logprobs = logprobs.data();
    made.n_ids = ids.size();
    deliver(sink->emit(sink->context, &made));
  }

  static std::vector<double> logprobs_of(const Json& choice, bool raw) {
    std::vector<double> found;
    const Json logprobs = choice.value("logprobs", Json());
    if (!logprobs.is_object()) return found;
    const Json list = logprobs.value(raw ? "token_logprobs" : "content", Json());
    if (!list.is_array()) return found;
    for (const Json& entry : list) found.push_back((raw ? entry : entry.at("logprob")).get<double>());
    return found;
  }

  std::string url_, model_;
  bool logprobs_;
  openai::Settings settings_;
};

int32_t create(const attune_host* host, const attune_value* options, void** out) {
  return create_instance<attune_generator, OpenAi>(host, options, out, [](attune_generator& table) {
    using Self = Instance<attune_generator, OpenAi>;
    table.size = ATTUNE_END(attune_generator, generate);
    table.generate = [](void* self, const attune_request* const* requests, size_t n, const attune_answer_sink* sink) -> int32_t {
      return guard(Self::of(self).host, [&] { Self::of(self).impl.generate(requests, n, sink); });
    };
  });
}

const attune_factory factory = {ATTUNE_END(attune_factory, create), 0, "generator/1", "openai", &create};

}  // namespace
}  // namespace attune

ATTUNE_PLUGIN(&attune::factory)
