// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>

#include "attune/sample.h"
#include "support/http_server.h"
#include "support/plugin_under_test.h"

namespace attune::testing {
namespace {

/// {"choices": ...} with the last message's content in brackets.
HttpReply echo(const HttpRequest& request, size_t) {
  const Json body = Json::parse(request.body);
  const std::string last = body["messages"].back()["content"];
  const Json choice = {{"message", {{"role", "assistant"}, {"content", "[" + last + "]"}}},
                       {"finish_reason", last == "long" ? "length" : "stop"},
                       {"logprobs", {{"content", {{{"token", "a"}, {"logprob", -0.5}}, {{"token", "b"}, {"logprob", -0.25}}}}}}};
  return {.body = Json{{"choices", {choice}}}.dump()};
}

struct Answer {
  std::string text;
  int32_t stop;
  std::vector<double> logprobs;
};

class Asked {
 public:
  explicit Asked(const HttpServer& server, Json more = Json::object())
      : plugin_("openai", "generator/1", "openai", options(server, std::move(more))) {}

  std::map<uint64_t, Answer> ask(const std::vector<std::string>& prompts, int32_t kind = ATTUNE_REQUEST_GENERATE) {
    std::vector<SampleBuilder> samples(prompts.size());
    std::vector<attune_request> requests;
    std::vector<const attune_request*> pointers;
    const attune_str stop = str("\n\n");
    for (size_t i = 0; i < prompts.size(); ++i) {
      samples[i].add({.messages = {{"system", "Be brief."}, {"user", prompts[i]}}});
      attune_request request{};
      request.size = ATTUNE_END(attune_request, reserved);
      request.kind = kind;
      request.id = i;
      request.turns = samples[i].c().views[0].turns;
      request.n_turns = 2;
      request.max_tokens = 32;
      request.top_p = 1;
      request.seed = 7;
      request.stops = &stop;
      request.n_stops = 1;
      requests.push_back(request);
    }
    for (const attune_request& request : requests) pointers.push_back(&request);
    std::map<uint64_t, Answer> found;
    const attune_answer_sink sink{ATTUNE_END(attune_answer_sink, emit), 0, &found, [](void* context, const attune_answer* answer) {
                                    (*static_cast<std::map<uint64_t, Answer>*>(context))[answer->id] = {
                                        string(answer->text), answer->stop, {answer->logprobs, answer->logprobs + answer->n_ids}};
                                    return int32_t{ATTUNE_OK};
                                  }};
    plugin_.check(plugin_->generate(plugin_.self(), pointers.data(), pointers.size(), &sink));
    return found;
  }
  std::string refusal(const std::vector<std::string>& prompts, int32_t kind = ATTUNE_REQUEST_GENERATE) {
    try {
      ask(prompts, kind);
    } catch (const PluginFailure& failure) {
      return failure.what();
    }
    return "";
  }

 private:
  static Json options(const HttpServer& server, Json more) {
    Json all = {{"url", server.url()}, {"model", "m"}, {"retry_wait", 0.001}};
    all.update(more);
    return all;
  }
  PluginUnderTest<attune_generator> plugin_;
};

TEST(OpenAi, AnswersManyRequestsEachWithItsOwn) {
  const HttpServer server(&echo);
  std::vector<std::string> prompts;
  for (int i = 0; i < 40; ++i) prompts.push_back("say " + std::to_string(i));

  const auto answers = Asked(server).ask(prompts);

  ASSERT_EQ(answers.size(), 40u);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(answers.at(i).text, "[say " + std::to_string(i) + "]");
  EXPECT_EQ(answers.at(0).stop, ATTUNE_STOP_END);
  EXPECT_EQ(answers.at(0).logprobs, (std::vector{-0.5, -0.25}));
}

TEST(OpenAi, SaysWhatItWasAsked) {
  const HttpServer server(&echo);
  EXPECT_EQ(Asked(server, {{"api_key", "k-123"}}).ask({"long"}).at(0).stop, ATTUNE_STOP_LENGTH);

  const HttpRequest request = server.requests().at(0);
  const Json body = Json::parse(request.body);
  EXPECT_EQ(request.head.rfind("POST /v1/chat/completions", 0), 0u);
  EXPECT_NE(request.head.find("Authorization: Bearer k-123"), std::string::npos);
  EXPECT_EQ(body["messages"][0], (Json{{"role", "system"}, {"content", "Be brief."}}));
  EXPECT_EQ(body["stop"], Json::array({"\n\n"}));
  EXPECT_EQ(body["logprobs"], true);
  EXPECT_EQ(body["max_tokens"], 32);
  EXPECT_FALSE(body.contains("top_p"));
}

TEST(OpenAi, TriesAgainWhereThatMayHelp) {
  const HttpServer server([](const HttpRequest& request, size_t number) {
    if (number == 0) return HttpReply{.status = 503, .body = "busy"};
    if (number == 1) return HttpReply{.status = 429, .body = "slow down"};
    if (number == 2) return HttpReply{.body = "", .hang_up = true};
    return echo(request, number);
  });

  EXPECT_EQ(Asked(server).ask({"x"}).at(0).text, "[x]");
  EXPECT_EQ(server.requests().size(), 4u);
}

TEST(OpenAi, GivesUpWithTheServersWords) {
  const HttpServer refuses([](auto&, size_t) { return HttpReply{.status = 401, .body = R"({"error": {"message": "no such key"}})"}; });
  const std::string message = Asked(refuses, {{"api_key", "k-123"}}).refusal({"x"});
  EXPECT_NE(message.find("HTTP 401: no such key (after 1 try); check `api_key`"), std::string::npos) << message;
  EXPECT_EQ(message.find("k-123"), std::string::npos);
  EXPECT_EQ(refuses.requests().size(), 1u);

  const HttpServer fails([](auto&, size_t) { return HttpReply{.status = 500, .body = "broken"}; });
  EXPECT_NE(Asked(fails, {{"retries", 2}}).refusal({"x"}).find("HTTP 500: broken (after 3 tries)"), std::string::npos);
}

TEST(OpenAi, RefusesWhatIsNoAnswer) {
  for (const std::string body : {"", "[]", "{\"choices\": []}", "{\"choices\": [{\"message\": {\"content\": 3}}]}", "<html>"}) {
    const HttpServer server([&](auto&, size_t) { return HttpReply{.body = body}; });
    EXPECT_NE(Asked(server).refusal({"x"}).find("none of this interface"), std::string::npos) << body;
  }
}

TEST(OpenAi, SaysThatItScoresNothing) {
  const HttpServer server(&echo);
  EXPECT_NE(Asked(server).refusal({"x"}, ATTUNE_REQUEST_LIKELIHOOD).find("does not score"), std::string::npos);
}

TEST(OpenAi, TakesNoAddressWithoutAProtocol) {
  const std::string message = [&] {
    try {
      PluginUnderTest<attune_generator>("openai", "generator/1", "openai", {{"url", "localhost"}, {"model", "m"}});
    } catch (const PluginFailure& failure) {
      return std::string(failure.what());
    }
    return std::string();
  }();
  EXPECT_EQ(message, "`url`: expected http://... or https://..., found \"localhost\"");
}

}  // namespace
}  // namespace attune::testing
