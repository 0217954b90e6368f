// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/scratch_folder.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"
#include "kernel/host/services/row_runs.h"

namespace attune::testing {
namespace {

namespace fs = std::filesystem;

class KnownDigests : public ::testing::Test {
 protected:
  KnownDigests() {
    write(file, std::string(kLargeFile, 'x'));
    age();
  }
  void age() { fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::seconds(60)); }
  std::string known() { return sha256_known(file, store); }

  ScratchFolder folder;
  const std::string file = folder / "large", store = folder / "index/digests.json";
};

TEST_F(KnownDigests, AreTakenFromTheStoreWhileTheFileIsTheSame) {
  // Another process, so that this one remembers nothing.
  const pid_t other = fork();
  if (other == 0) known(), _exit(0);
  waitpid(other, nullptr, 0);
  Json said = unsealed(read_text(store));
  ASSERT_EQ(said.begin().value()["sha256"], sha256_now(file));
  said.begin().value()["sha256"] = "said before";
  write_atomically(store, sealed(said));

  EXPECT_EQ(known(), "said before");
  EXPECT_EQ(sha256_file(file), "said before");
  fs::last_write_time(file, fs::last_write_time(file) - std::chrono::seconds(1));
  EXPECT_EQ(known(), sha256_now(file)) << "another time of the same bytes";
}

TEST_F(KnownDigests, AChangedFileIsReadAgain) {
  const std::string before = known();
  std::string bytes(kLargeFile, 'x');
  bytes[12345] = 'y';
  write(file, bytes);
  age();

  EXPECT_EQ(known(), sha256_now(file));
  EXPECT_NE(known(), before);
}

TEST_F(KnownDigests, AFileThatMayStillChangeAndASmallOneAreNotKept) {
  fs::last_write_time(file, fs::file_time_type::clock::now());
  known();
  write(folder / "small", "x");
  fs::last_write_time(folder / "small", fs::file_time_type::clock::now() - std::chrono::seconds(60));
  sha256_known(folder / "small", store);

  EXPECT_FALSE(fs::exists(store));
}

TEST_F(KnownDigests, ADamagedStoreIsMadeAnew) {
  const std::string digest = known();
  std::string text = read(store);
  text[text.size() / 2] ^= 1;
  write(store, text);

  EXPECT_EQ(known(), digest);
  EXPECT_TRUE(unsealed(read_text(store)).is_object());
}

TEST(RowRuns, FindTheRowOfASampleAndStaySmall) {
  RowRuns runs;
  std::vector<int64_t> row_of;
  for (int64_t row = 0; row < 1000; ++row) {
    const int64_t samples = row % 100 == 3 ? 0 : row % 250 == 7 ? 3 : 1;
    runs.add(samples);
    for (int64_t i = 0; i < samples; ++i) row_of.push_back(row);
  }
  const RowRuns again = RowRuns::from(Json::parse(runs.json().dump()));

  ASSERT_EQ(again.samples(), int64_t(row_of.size()));
  EXPECT_EQ(again.rows(), 1000);
  for (size_t i = 0; i < row_of.size(); ++i) ASSERT_EQ(again.place(int64_t(i)).row, row_of[i]) << i;
  EXPECT_EQ(again.place(7).within, 1);
  EXPECT_EQ(again.place(7).of, 3);
  EXPECT_LT(runs.json().size(), 30u);
}

}  // namespace
}  // namespace attune::testing
