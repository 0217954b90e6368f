// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernel/host/manifest/manifest.h"
#include "kernel/host/manifest/toml_text.h"

namespace attune {

/// Plugins that exist only on paper: all that a manifest is checked against.
class PaperCatalogue final : public Catalogue {
 public:
  PaperCatalogue();
  std::vector<ProviderInfo> providers(std::string_view kind) const override {
    const auto found = by_kind_.find(std::string(kind));
    return found == by_kind_.end() ? std::vector<ProviderInfo>() : found->second;
  }
  /// `provides` is a [[provides]] table as a plugin.toml has it, without the header.
  void add(const std::string& plugin_id, const std::string& provides);

 private:
  std::map<std::string, std::vector<ProviderInfo>> by_kind_;
};

/// An empty folder to run in; gone afterwards.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void write(const std::string& name, const std::string& text) const;
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  std::filesystem::path before_ = std::filesystem::current_path();
  std::filesystem::path folder_;
};

/// Sixteen lines that are right.
inline const std::string kTrain = R"(schema = 1
[run]
kind = "train"
name = "a"
[model]
path = "m"
[[data.train]]
use = "pairs"
path = "p.jsonl"
[algorithm]
use = "dpo"
[optimizer]
learning_rate = 1e-5
[train]
steps = 2
samples_per_step = 4
)";

/// kTrain with the section that starts with `header` replaced. An empty section takes it out; an
/// unknown header adds at the end.
std::string train_with(const std::string& header, const std::string& section);

struct Setting {
  std::vector<std::string> sets = {};
  std::map<std::string, std::string> environment = {};
};

/// Reads run.toml of the current folder.
Manifest load(const Setting& setting = {});

/// All messages of loading `text`, or "" where it is right.
std::string messages(const std::string& text, const Setting& setting = {});

struct Broken {
  std::string what;  ///< a test name
  std::string text;
  std::string message;
  Setting setting = {};
};

inline void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.what; }

/// One test for each row: the whole message, to the letter.
class BrokenManifest : public testing::TestWithParam<Broken> {};

inline std::string broken_name(const testing::TestParamInfo<Broken>& info) {
  return info.param.what;
}

}  // namespace attune
