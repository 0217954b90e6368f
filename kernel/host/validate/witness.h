// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "attune/abi.h"
#include "kernel/host/engine_api.h"
#include "kernel/host/json.h"
#include "kernel/host/validate/verdict.h"

namespace attune::validate {

/// What a call of a plugin came to.
struct Answer {
  int32_t code = ATTUNE_OK;
  std::string why;  ///< what host->fail was told

  bool ok() const { return code == ATTUNE_OK; }
  Json json() const { return ok() ? Json("ok") : Json{{"code", code}, {"why", why}}; }
};

/// A host that watches how a plugin calls it.
class Witness {
 public:
  /// Which services it lends: the log, none, or the log of a host that is newer than this one: its table is longer.
  enum class Kind { kUsual, kNoServices, kNewer };
  explicit Witness(Kind kind = Kind::kUsual);
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  const attune_host* host() const { return &room_.host; }
  Engine* engine = nullptr;  ///< in the torch tier

  /// Runs a function of the plugin. Throws Failed where an exception leaves it. `refused`: what a sink returned, which the
  /// function may pass on without a message.
  Answer call(const std::string& function, const std::function<int32_t()>& body, const int32_t* refused = nullptr);

  /// What was wrong with how failures were told, over all calls.
  std::vector<std::string> faults() const;

 private:
  void fault(const std::string& what);
  static const void* service(const attune_host* host, const char* id);
  static int32_t fail(const attune_host* host, int32_t code, attune_str why);

  // Members that this host has not, as a newer one would have; they are no addresses.
  struct {
    attune_host host;
    unsigned char more[64];
  } room_{};
  attune_log log_{};
  Kind kind_;
  mutable std::mutex mutex_;
  std::vector<std::string> faults_;
};

/// How sinks take what they are given.
struct SinkRule {
  int refuse_at = -1;           ///< the item that is refused; below 0: none
  int32_t refusal = 0;          ///< with this
  std::function<void()> pause;  ///< called at each item

  int taken = 0, after_refusal = 0;
  bool refused = false;
};

/// A C sink over `record(item)`, which keeps to a rule.
template <typename Sink, typename Item, typename Record>
class WatchedSink {
 public:
  WatchedSink(SinkRule& rule, Record record) : rule_(rule), record_(std::move(record)) {
    sink_.size = ATTUNE_END(Sink, emit);
    sink_.context = this;
    sink_.emit = [](void* context, Item item) -> int32_t {
      auto& self = *static_cast<WatchedSink*>(context);
      SinkRule& kept = self.rule_;
      if (kept.refused) return ++kept.after_refusal, kept.refusal;
      if (kept.taken == kept.refuse_at) return kept.refused = true, kept.refusal;
      ++kept.taken;
      if (kept.pause) kept.pause();
      try {
        self.record_(item);
      } catch (const std::exception& error) {
        self.wrong_ = error.what();
      }
      return ATTUNE_OK;
    };
  }
  WatchedSink(const WatchedSink&) = delete;
  WatchedSink& operator=(const WatchedSink&) = delete;

  const Sink* get() const { return &sink_; }
  /// Throws Failed where an item was malformed.
  void check() const {
    if (!wrong_.empty()) throw Failed(wrong_);
  }

 private:
  SinkRule& rule_;
  Record record_;
  Sink sink_{};
  std::string wrong_;
};

template <typename Sink, typename Item, typename Record>
auto watched(SinkRule& rule, Record record) {
  return WatchedSink<Sink, Item, Record>(rule, std::move(record));
}

}  // namespace attune::validate
