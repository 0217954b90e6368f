// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace attune::testing {

/// A folder that is gone after the test.
class Scratch {
 public:
  Scratch() {
    std::string made = (std::filesystem::temp_directory_path() / "attune-plugins-XXXXXX").string();
    if (!mkdtemp(made.data())) throw std::runtime_error("cannot make " + made);
    path_ = made;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string path(const std::string& name = "") const {
    return name.empty() ? path_ : path_ + "/" + name;
  }
  std::string folder(const std::string& name) const {
    std::filesystem::create_directories(path(name));
    return path(name);
  }

 private:
  std::string path_;
};

inline std::string slurp(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void spill(const std::string& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

/// Limits of time hold for an optimised build; sanitizers and assertions take theirs.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(NDEBUG)
inline constexpr double kSlowness = 20;
#else
inline constexpr double kSlowness = 1;
#endif

/// `text` with every `from` replaced by `to`.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

inline std::string fixture_folder(const std::string& name) {
  return std::string(ATTUNE_FIXTURES) + "/" + name;
}
inline std::string fixture(const std::string& name) {
  return fixture_folder(name) + "/" + (name == "good" ? "fixture_good" : name) + ".attune.so";
}

/// What `body` threw: its message. Fails the test where it threw nothing.
template <typename Body>
std::string message_of(Body body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

#define EXPECT_HAS(text, part) \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << "found: " << (text)

}  // namespace attune::testing
