// SPDX-License-Identifier: Apache-2.0
// What a checkpoint survives: full disks at any byte, flipped bits, cut files, clocks that jump.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "faults/process.h"
#include "kernel/engine/checkpoint_store.h"
#include "kernel/host/services/services.h"

namespace attune::testing {
namespace {

/// A limit on the size of files stands in for a disk that fills at that byte.
class FullAfter {
 public:
  explicit FullAfter(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullAfter() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

class CheckpointFaults : public ::testing::Test {
 protected:
  using When = CheckpointStore::When;

  CheckpointStore store(const Json& policy = Json::object(), const std::string& run = "run") {
    return CheckpointStore(folder.string(), run, policy, services);
  }
  StateTree state() {
    StateTree tree;
    tree.add("optimizer", {{"weight", weight}});
    tree.add("tokens", tokens);
    return tree;
  }
  void save(CheckpointStore& into, int64_t step, When when = When::kNow, const Json& metrics = Json::object()) {
    weight.fill_(double(step));
    tokens = step * 10;
    into.save(step, state(), metrics, when);
  }
  /// The newest step that a new process would find, with its state loaded; 0: none.
  int64_t newest() {
    const CheckpointStore fresh = store();
    const auto found = fresh.newest();
    if (!found) return 0;
    weight.fill_(-1), tokens = -1;
    fresh.load(*found, state());
    EXPECT_TRUE((weight == double(found->step)).all().item<bool>());
    EXPECT_EQ(tokens, found->step * 10);
    return found->step;
  }
  std::string why(const std::function<void()>& action) {
    try {
      action();
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  }
  std::vector<int64_t> steps() {
    std::vector<int64_t> found;
    for (const CheckpointEntry& entry : checkpoints_in(folder)) found.push_back(entry.step);
    return found;
  }
  fs::path file(int64_t step, const std::string& name) { return folder / checkpoint_name(step) / name; }

  TemporaryFolder scratch;
  fs::path folder = scratch.path / "checkpoints";
  at::Tensor weight = at::zeros({3}, at::kFloat);
  int64_t tokens = 0;

  std::istringstream in;
  std::ostringstream said;
  Console console{in, said, said};
  Surroundings surroundings{.executable = std::string(ATTUNE_BIN_DIR) + "/attune"};
  Installation installation{surroundings, console, {}};
  Services services{installation, console};
};

TEST_F(CheckpointFaults, ADiskThatFillsAtAnyByteLeavesTheOlderOne) {
  CheckpointStore kept = store();
  save(kept, 1);
  const auto size = std::max(fs::file_size(file(1, "state.safetensors")), fs::file_size(file(1, "state.json")));
  for (const When when : {When::kNow, When::kInBackground}) {
    rlim_t failed = 0;
    for (rlim_t bytes = 0; bytes <= size; ++bytes) {
      const FullAfter limit(bytes);
      const std::string message = why([&] {
        CheckpointStore full = store();
        save(full, 2, when);
        full.wait();
      });
      if (message.empty()) break;
      ++failed;
      ASSERT_NE(message.find("staging-step-000002/state."), std::string::npos) << message;
      ASSERT_NE(message.find("make room and run again"), std::string::npos) << message;
      ASSERT_EQ(steps(), std::vector<int64_t>{1}) << bytes;
    }
    EXPECT_EQ(failed, size);
    EXPECT_EQ(newest(), 2);
    remove_checkpoint(folder / checkpoint_name(2));
    EXPECT_EQ(newest(), 1);
  }
}

TEST_F(CheckpointFaults, AFlippedBitInAnyByteOfAnyFileIsSeen) {
  CheckpointStore kept = store();
  save(kept, 1);
  save(kept, 2);
  for (const char* name : {"state.json", "state.safetensors"}) {
    const std::string whole = read_file(file(2, name));
    int harmless = 0;
    for (size_t byte = 0; byte < whole.size(); ++byte) {
      std::string flipped = whole;
      flipped[byte] = char(flipped[byte] ^ (1 << (byte % 8)));
      write_file(file(2, name), flipped);
      // A blank between two words of state.json may become another.
      if (newest() == 1) continue;
      ++harmless;
      EXPECT_TRUE(std::isspace(static_cast<unsigned char>(whole[byte]))) << byte;
    }
    EXPECT_LE(harmless, std::string(name) == "state.json" ? 40 : 0);
    write_file(file(2, name), whole);
    EXPECT_EQ(newest(), 2);
  }
  EXPECT_NE(said.str().find("step-000002 is damaged (state.safetensors has other bytes"), std::string::npos);
}

TEST_F(CheckpointFaults, AFileCutAtAnyByteOrMissingIsSeen) {
  CheckpointStore kept = store();
  save(kept, 1);
  save(kept, 2);
  for (const char* name : {"state.json", "state.safetensors"}) {
    const std::string whole = read_file(file(2, name));
    for (size_t size = 0; size + 1 < whole.size(); ++size) {  // The last byte of state.json is a newline.
      fs::resize_file(file(2, name), whole.size());
      write_file(file(2, name), whole.substr(0, size));
      ASSERT_EQ(newest(), 1) << name << " " << size;
    }
    fs::remove(file(2, name));
    EXPECT_EQ(newest(), 1);
    write_file(file(2, name), whole);
  }
  EXPECT_EQ(newest(), 2);
}

TEST_F(CheckpointFaults, TheOrderIsThatOfTheStepsWhateverTheClockSays) {
  CheckpointStore kept = store({{"keep", 2}});
  for (const int64_t step : {999998, 999999, 1000000}) {
    save(kept, step);
    // The clock goes back: each new one looks a year older than the one before.
    const auto past = fs::file_time_type::clock::now() - std::chrono::hours(24 * 365 * (step - 999990));
    for (const auto& entry : fs::recursive_directory_iterator(folder / checkpoint_name(step))) fs::last_write_time(entry.path(), past);
    fs::last_write_time(folder / checkpoint_name(step), past);
  }

  EXPECT_EQ(steps(), (std::vector<int64_t>{999999, 1000000}));
  EXPECT_EQ(newest(), 1000000);
}

TEST_F(CheckpointFaults, TheStateOfTheMomentIsWrittenThoughTrainingGoesOn) {
  CheckpointStore kept = store();
  for (int64_t step = 1; step <= 20; ++step) {
    save(kept, step, When::kInBackground);
    weight.fill_(-7);
    tokens = -7;
    kept.wait();
    ASSERT_EQ(newest(), step);
  }
}

TEST_F(CheckpointFaults, AnErrorOfTheWriterComesWithTheNextLookAtIt) {
  CheckpointStore kept = store();
  save(kept, 1);
  {
    const FullAfter limit(10);
    save(kept, 2, When::kInBackground);
    const std::string message = why([&] {
      for (;;) kept.check();
    });
    EXPECT_NE(message.find("state.safetensors: writing failed: File too large"), std::string::npos) << message;
  }
  save(kept, 3, When::kInBackground);
  kept.wait();
  EXPECT_EQ(newest(), 3);
}

TEST_F(CheckpointFaults, AFolderThatCannotBeMadeIsNamed) {
  write_file(folder, "a file in its place");
  CheckpointStore kept = store();

  EXPECT_NE(why([&] { save(kept, 1); }).find(folder.string()), std::string::npos);
}

TEST_F(CheckpointFaults, TooLittleSpaceIsSeenBeforeAnythingIsWritten) {
  CheckpointStore kept = store();
  save(kept, 1);
  weight = at::zeros({1}).expand({int64_t(1) << 44});
  StateTree huge;
  huge.add("optimizer", {{"weight", weight}});

  const std::string message = why([&] { kept.save(2, huge, Json::object(), When::kInBackground); });

  EXPECT_NE(message.find("a checkpoint needs 67108865 MiB, "), std::string::npos) << message;
  EXPECT_EQ(steps(), std::vector<int64_t>{1});
}

TEST_F(CheckpointFaults, WhatKilledProcessesLeftIsCleared) {
  CheckpointStore kept = store();
  save(kept, 1);
  for (const char* left : {".staging-step-000009", ".removing-step-000001"}) {
    fs::create_directories(folder / left);
    write_file(folder / left / "state.json", "{");
  }
  EXPECT_EQ(newest(), 1);

  save(kept, 2);

  EXPECT_FALSE(fs::exists(folder / ".staging-step-000009"));
  EXPECT_FALSE(fs::exists(folder / ".removing-step-000001"));
}

TEST_F(CheckpointFaults, TheBestAndThoseForGoodStayBesideTheNewest) {
  CheckpointStore kept = store({{"keep", 2}, {"keep_every", 4}, {"keep_best", 2}, {"best", "eval/loss"}});
  const double loss[] = {9, 3, 5, 8, 1, 7, 6, 2, 4, 9};
  for (int64_t step = 1; step <= 10; ++step) save(kept, step, When::kNow, {{"eval/loss", loss[step - 1]}});

  EXPECT_EQ(steps(), (std::vector<int64_t>{4, 5, 8, 9, 10}));
  const auto reasons = Retention::from({{"keep", 2}, {"keep_every", 4}, {"keep_best", 2}, {"best", "eval/loss"}}).reasons(checkpoints_in(folder));
  EXPECT_EQ(reasons.at(5), "best eval/loss");
  EXPECT_EQ(reasons.at(4), "every 4");
  EXPECT_EQ(reasons.at(9), "newest");
}

TEST_F(CheckpointFaults, TheHighestMayBeTheBestAndWhatIsNoNumberIsNone) {
  CheckpointStore kept = store({{"keep", 1}, {"keep_best", 1}, {"best", "accuracy"}, {"best_is", "highest"}});
  save(kept, 1, When::kNow, {{"accuracy", NAN}});
  save(kept, 2, When::kNow, {{"accuracy", 0.75}});
  save(kept, 3, When::kNow, {{"accuracy", 0.5}});
  save(kept, 4, When::kNow);

  EXPECT_EQ(steps(), (std::vector<int64_t>{2, 4}));
}

TEST_F(CheckpointFaults, ADamagedNewestGivesWayToWhatIsWrittenAfterTheOlderOne) {
  CheckpointStore kept = store({{"keep", 2}});
  save(kept, 6);
  save(kept, 9);
  fs::remove(file(9, "state.safetensors"));
  EXPECT_EQ(newest(), 6);

  CheckpointStore again = store({{"keep", 1}});
  save(again, 7);

  EXPECT_EQ(steps(), std::vector<int64_t>{7});
  EXPECT_EQ(newest(), 7);
}

TEST_F(CheckpointFaults, AnotherRunsStateIsRefused) {
  CheckpointStore kept = store();
  save(kept, 1);

  EXPECT_NE(why([&] { store({}, "other").newest(); }).find("another manifest"), std::string::npos);
  const auto found = kept.newest();
  StateTree wider;
  wider.add("optimizer", {{"weight", at::zeros({4})}});
  wider.add("tokens", tokens);
  EXPECT_NE(why([&] { kept.load(*found, wider); }).find("optimizer/weight has another shape"), std::string::npos);
  StateTree fewer;
  fewer.add("tokens", tokens);
  EXPECT_NE(why([&] { kept.load(*found, fewer); }).find("has 1 tensors, this run's state has 0"), std::string::npos);
  StateTree more = state();
  int64_t unknown = 0;
  more.add("unknown", unknown);
  EXPECT_NE(why([&] { kept.load(*found, more); }).find("does not hold \"unknown\""), std::string::npos);
}

}  // namespace
}  // namespace attune::testing
