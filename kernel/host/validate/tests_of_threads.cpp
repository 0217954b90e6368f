// SPDX-License-Identifier: Apache-2.0
// The threads that the contract allows, and that may be kept from nothing.
#include <sched.h>

#include <exception>
#include <latch>
#include <mutex>
#include <thread>

#include "kernel/host/validate/child.h"
#include "kernel/host/validate/tests.h"

namespace attune::validate {
namespace {

constexpr size_t kThreads = 4;

bool concurrent(const Subject& subject) { return subject.factory.metadata.value("concurrent", Json(false)) == Json(true); }

/// Lets other threads in between two items.
void give_way() {
  for (int i = 0; i < 3; ++i) sched_yield();
}

/// Rethrows what a thread threw.
class Threads {
 public:
  void start(std::function<void()> body) {
    threads_.emplace_back([this, body = std::move(body)] {
      try {
        body();
      } catch (...) {
        const std::scoped_lock lock(mutex_);
        if (!thrown_) thrown_ = std::current_exception();
      }
    });
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::exception_ptr thrown_;
};

Json use_giving_way(const Instance& instance, const Subject& subject, const Input& input) {
  SinkRule rule;
  rule.pause = give_way;
  return subject.kind.use(instance.witness(), instance.table(), input.given, rule);
}

void contention(const Subject& subject) {
  Stage stage(subject);
  const std::vector<Input> inputs = alike(subject);
  std::vector<Json> expected;
  {
    const Instance alone(subject, stage, inputs.front().options);
    for (const Input& input : inputs) expected.push_back(use(alone, subject, input));
  }
  const bool shared = concurrent(subject);
  std::vector<std::unique_ptr<Instance>> instances;
  for (size_t t = 0; t < (shared ? 1 : kThreads); ++t)
    instances.push_back(std::make_unique<Instance>(subject, stage, inputs.front().options));
  const std::string how = shared ? "one instance, which is declared concurrent, in 4 threads: " : "4 instances in 4 threads: ";

  Threads threads;
  std::latch all_here(kThreads);  // Or the first may have ended before the last begins.
  const Stopwatch watch;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.start([&, t] {
      all_here.arrive_and_wait();
      const Instance& mine = *instances[shared ? 0 : t];
      for (size_t i = t; i < 400 && (watch.seconds() < 1.5 || i < inputs.size() + t); ++i) {
        const size_t at = i % inputs.size();
        expect_equal(use_giving_way(mine, subject, inputs[at]), expected[at], how + inputs[at].name);
      }
    });
  }
  threads.join();
}

void any_worker(const Subject& subject) {
  Stage stage(subject);
  const std::vector<Input> inputs = alike(subject);
  const Instance one(subject, stage, inputs.front().options);
  std::vector<Json> here;
  for (const Input& input : inputs) here.push_back(use(one, subject, input));
  for (int thread = 0; thread < 2; ++thread) {
    Threads threads;
    threads.start([&] {
      for (size_t i = 0; i < inputs.size(); ++i)
        expect_equal(use(one, subject, inputs[i]), here[i], inputs[i].name + ", called from another thread than the one that created");
    });
    threads.join();
  }
}

}  // namespace

std::vector<Test> tests_of_threads() {
  return {{"threads", "Threads that use instances at the same time get what they get alone", contention},
          {"any-worker", "An instance may be called from any thread, one at a time", any_worker}};
}

}  // namespace attune::validate
