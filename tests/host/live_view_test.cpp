// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/live_view.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include "host/scratch_folder.h"

namespace attune::testing {
namespace {

constexpr double kNow = 1000;

class LiveViewTest : public ::testing::Test {
 protected:
  void begin(const std::string& run, const std::string& more = "") {
    std::filesystem::create_directories(folder / run);
    write(folder / (run + "/record.toml"),
          "start = \"2026-01-02T03:04:05Z\"\n" + more +
              "[manifest.run]\nkind = \"train\"\n[manifest.algorithm]\nuse = \"dpo\"\n"
              "[manifest.train]\nsteps = 40\n");
  }
  void rows(const std::string& run, int count) {
    std::string text;
    for (int step = 1; step <= count; ++step)
      text += "{\"step\":" + std::to_string(step) + ",\"loss\":" + std::to_string(1.0 / step) +
              ",\"reward/margin\":" + std::to_string(step * 0.1) +
              ",\"reward/accuracy\":0.75,\"gradient_norm\":2" +
              ",\"tokens_per_s\":1234.6,\"memory_mb\":412.4}\n";
    write(folder / (run + "/metrics.jsonl"), text);
  }
  /// Held as a run holds it.
  void lock(const std::string& run) {
    fd = ::open((folder / (run + "/.lock")).c_str(), O_RDWR | O_CREAT, 0644);
    ASSERT_EQ(::flock(fd, LOCK_EX | LOCK_NB), 0);
  }
  void unlock() { ::close(fd), fd = -1; }
  ~LiveViewTest() override {
    if (fd >= 0) ::close(fd);
  }
  std::string text(LiveView& view, size_t width = 80, size_t height = 40, bool unicode = false) {
    view.refresh();
    std::string made;
    for (const std::string& line :
         view.frame(width, height, {.unicode = unicode, .color = false}, kNow)) {
      EXPECT_LE(screen_width(line), width) << line;
      made += line + "\n";
    }
    return made;
  }
  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != text.npos;
  }

  ScratchFolder folder;
  int fd = -1;
};

TEST_F(LiveViewTest, FollowsARunFromBeforeItBeginsToItsEnd) {
  LiveView view(folder / "run");
  EXPECT_TRUE(has(text(view), "waiting"));

  begin("run");
  rows("run", 10);
  lock("run");
  write(folder / "run/progress.json",
        R"({"phase":"train","done":10,"total":40,"first":1,"begun":910,"at":1000})");
  const std::string running = text(view);
  // Nine steps in 90 seconds, 30 to go.
  for (const char* part :
       {"running", "train, dpo", "25 %  step 10/40", "1:30 so far, 5:00 left", "loss",
        "reward margin", "accuracy", "75 %", "gradient norm", "1,235", "412 MB"})
    EXPECT_TRUE(has(running, part)) << part << "\n" << running;

  unlock();  // As a killed process does.
  EXPECT_TRUE(has(text(view), "stopped")) << text(view);

  rows("run", 4);  // Resumed from an earlier checkpoint: the file is a shorter one.
  lock("run");
  EXPECT_TRUE(has(text(view), "step 4/40")) << text(view);
  unlock();

  rows("run", 40);
  begin("run", "[results]\nsteps = 40\nseconds = 83.0\n");
  const std::string ended = text(view);
  for (const char* part : {"finished", "100 %  step 40/40", "took 1:23"})
    EXPECT_TRUE(has(ended, part)) << part << "\n" << ended;
}

TEST_F(LiveViewTest, ShowsTheStageThatIsAtWork) {
  std::filesystem::create_directories(folder / "pipe");
  write(folder / "pipe/record.toml",
        "[manifest.run]\nkind = \"pipeline\"\n[[manifest.stage]]\nname = "
        "\"sft\"\n[[manifest.stage]]\nname = "
        "\"dpo\"\n[[manifest.stage]]\nname = \"after\"\n");
  begin("pipe/sft", "[results]\nsteps = 3\n");
  begin("pipe/dpo");
  rows("pipe/dpo", 5);
  lock("pipe/dpo");
  LiveView view(folder / "pipe");

  const std::string frame = text(view);

  EXPECT_TRUE(has(frame, "+ sft  > dpo  . after")) << frame;
  EXPECT_TRUE(has(frame, "pipe/dpo  ")) << frame;
  EXPECT_TRUE(has(frame, "step 5/40")) << frame;
}

TEST_F(LiveViewTest, ShowsTheNewestAnswersAndLogLinesWithoutTheirEscapes) {
  begin("run");
  write(folder / "run/log.txt",
        "one\ntwo\nthree\nfour\nfive\n2026-01-02T03:04:05Z  warning: \x1b[31mred\n");
  write(folder / "run/answers.jsonl",
        "{\"prompt\":\"Why\\nsweat?\",\"text\":\"To cool\\u001b[2J.\"}\n");
  LiveView view(folder / "run");

  const std::string frame = text(view);

  EXPECT_TRUE(has(frame, "Why sweat? > To cool?[2J.")) << frame;
  EXPECT_TRUE(has(frame, "\n03:04:05 warning: ?[31mred\n")) << frame;
  EXPECT_TRUE(has(frame, "three\n") && !has(frame, "two\n")) << frame;
  EXPECT_FALSE(has(frame, "\x1b"));
}

TEST_F(LiveViewTest, FitsAnyScreen) {
  begin("run");
  rows("run", 30);
  write(folder / "run/log.txt", std::string(300, 'x') + "\n");
  lock("run");
  write(folder / "run/progress.json",
        R"({"phase":"train","done":30,"total":40,"first":1,"begun":100000,"at":0})");
  LiveView view(folder / "run");
  for (const size_t width : {40, 41, 59, 80, 160, 300}) {
    for (const size_t height : {1, 5, 12, 24, 60}) {
      const std::string frame = text(view, width, height, true);
      EXPECT_LE(size_t(std::count(frame.begin(), frame.end(), '\n')), height);
      EXPECT_EQ(has(frame, "gradient norm"), height >= 12) << frame;
    }
  }
}

}  // namespace
}  // namespace attune::testing
