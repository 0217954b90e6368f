// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "kernel/host/exit.h"

namespace attune {

/// Turns a plugin's code into an exception that says who failed. `last` tells what the plugin's
/// last `host->fail` said.
class PluginFailure {
 public:
  PluginFailure(std::string who, std::function<std::string()> last)
      : who_(std::move(who)), last_(std::move(last)) {}

  /// `doing` reads after the plugin's name: `tokenizer "x": encoding: why`.
  void check(int32_t code, std::string_view doing, Exit exit = Exit::kRunFailed) const {
    if (code != ATTUNE_OK)
      throw ExitError(exit, who_ + ": " + std::string(doing) + ": " + why(code), code);
  }
  std::string why(int32_t code) const {
    std::string said = last_();
    return said.empty() ? "failed with code " + std::to_string(code) + " and no message" : said;
  }
  const std::string& who() const { return who_; }

 private:
  std::string who_;
  std::function<std::string()> last_;
};

/// A sink that calls `body(const T*)` or `body(T)` and carries its exception past the C boundary.
template <typename Sink, typename Item, typename Body>
class SinkOf {
 public:
  explicit SinkOf(Body body) : body_(std::move(body)) {
    sink_.size = ATTUNE_END(Sink, emit);
    sink_.context = this;
    sink_.emit = [](void* context, Item item) -> int32_t {
      auto& self = *static_cast<SinkOf*>(context);
      try {
        self.body_(item);
        return ATTUNE_OK;
      } catch (...) {
        self.thrown_ = std::current_exception();
        return ATTUNE_E_CANCELLED;
      }
    };
  }
  SinkOf(const SinkOf&) = delete;
  SinkOf& operator=(const SinkOf&) = delete;

  const Sink* get() const { return &sink_; }
  /// Throws what the body threw.
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  Body body_;
  Sink sink_{};
  std::exception_ptr thrown_;
};

template <typename Body>
using ValueSinkOf = SinkOf<attune_value_sink, const attune_value*, Body>;
template <typename Body>
using SampleSinkOf = SinkOf<attune_sample_sink, const attune_sample*, Body>;
template <typename Body>
using TensorSinkOf = SinkOf<attune_tensor_sink, const attune_tensor*, Body>;
template <typename Body>
using TextSinkOf = SinkOf<attune_text_sink, attune_str, Body>;
template <typename Body>
using EncodingSinkOf = SinkOf<attune_encoding_sink, const attune_encoding*, Body>;
template <typename Body>
using RenderingSinkOf = SinkOf<attune_rendering_sink, const attune_rendering*, Body>;
template <typename Body>
using RequestSinkOf = SinkOf<attune_request_sink, const attune_request*, Body>;
template <typename Body>
using AnswerSinkOf = SinkOf<attune_answer_sink, const attune_answer*, Body>;

/// Calls `call(const Sink*)`, which returns a plugin's code; what the body throws wins over the
/// code it caused.
template <template <typename> typename SinkFor, typename Body, typename Call>
int32_t collect(Body body, Call call) {
  SinkFor<Body> sink(std::move(body));
  const int32_t code = call(sink.get());
  sink.rethrow();
  return code;
}

}  // namespace attune
