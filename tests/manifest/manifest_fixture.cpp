// SPDX-License-Identifier: Apache-2.0
#include "manifest_fixture.h"

namespace attune {
namespace fs = std::filesystem;

void PaperCatalogue::add(const std::string& plugin_id, const std::string& provides) {
  const manifest::Node table = manifest::parse_toml(provides, nullptr);
  ProviderInfo info{.plugin_id = plugin_id,
                    .name = table.text("name"),
                    .version = "1.0.0",
                    .file = "/plugins/" + plugin_id + ".attune.so",
                    .metadata = manifest::to_json(table)};
  if (const auto* options = table.find("options")) {
    info.options = manifest::read_schemas(options->value);
  }
  by_kind_[table.text("kind")].push_back(std::move(info));
}

PaperCatalogue::PaperCatalogue() {
  add("org.paper.dpo", R"(
kind = "algorithm/1"
name = "dpo"
sample = "pair"
reference = true
[options.beta]
type = "float"
default = 0.1
above = 0.0
help = "How strongly the policy is held to the reference"
[options.label_smoothing]
type = "float"
default = 0.0
min = 0.0
below = 0.5
help = "Share of labels taken to be flipped"
)");
  add("org.paper.sft", R"(
kind = "algorithm/1"
name = "sft"
sample = "supervised"
reference = false
)");
  add("org.paper.llama", R"(
kind = "model/1"
name = "llama"
[options.config]
type = "table"
required = true
help = "config.json"
[options.window]
type = "int"
default = 0
min = 0
help = "Tokens that a token sees; 0: all"
)");
  add("org.paper.data", R"(
kind = "dataset/1"
name = "pairs"
samples = ["pair"]
)");
  add("org.paper.data", R"(
kind = "dataset/1"
name = "alpaca"
samples = ["supervised"]
[options.system]
type = "string"
default = ""
help = "Text of the system turn"
[options.template]
type = "path"
help = "A file"
)");
  add("org.paper.columns", R"(
kind = "dataset/1"
name = "columns"
samples = ["supervised", "pair"]
[options.columns]
type = "table"
required = true
help = "Role and column"
)");
  add("org.paper.one", "kind = \"dataset/1\"\nname = \"twin\"");
  add("org.paper.two", "kind = \"dataset/1\"\nname = \"twin\"");
  add("org.paper.exact", R"(
kind = "evaluator/1"
name = "exact_match"
[options.ignore]
type = "list"
items = "enum"
choices = ["case", "space"]
default = []
help = "What two answers may differ in"
)");
  add("org.paper.preference", R"(
kind = "evaluator/1"
name = "preference"
sample = "pair"
)");
  add("org.paper.web", R"(
kind = "tracker/1"
name = "web"
[options.token]
type = "string"
required = true
secret = true
help = "Password of the site"
[options.project.members.name]
type = "string"
default = "main"
help = "Its name"
[options.project]
type = "table"
help = "Where rows go"
)");
  add("org.paper.rude", R"(
kind = "tracker/1"
name = "rude"
[options.use]
type = "string"
help = "Takes what is not its own"
)");
}

Folder::Folder() {
  static int count = 0;
  folder_ = fs::temp_directory_path() /
            ("attune-manifest-" + std::to_string(getpid()) + "-" + std::to_string(count++));
  fs::create_directories(folder_);
  folder_ = fs::canonical(folder_);
  fs::current_path(folder_);
}

Folder::~Folder() {
  fs::current_path(before_);
  fs::remove_all(folder_);
}

void Folder::write(const std::string& name, const std::string& text) const {
  fs::create_directories((folder_ / name).parent_path());
  std::ofstream(folder_ / name, std::ios::binary) << text;
}

std::string train_with(const std::string& header, const std::string& section) {
  const size_t begin = kTrain.find(header + "\n");
  if (begin == kTrain.npos) return kTrain + section;
  const size_t next = kTrain.find("\n[", begin);
  const std::string after = next == kTrain.npos ? "" : kTrain.substr(next + 1);
  return kTrain.substr(0, begin) + section + after;
}

Manifest load(const Setting& setting) {
  static const PaperCatalogue catalogue;
  const Environment environment = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = setting.environment.find(name);
    if (found == setting.environment.end()) return std::nullopt;
    return found->second;
  };
  return load_manifest("run.toml",
                       {.sets = setting.sets, .catalogue = catalogue, .environment = environment});
}

std::string messages(const std::string& text, const Setting& setting) {
  const Folder folder;
  folder.write("run.toml", text);
  try {
    load(setting);
  } catch (const ManifestError& error) {
    return error.what();
  }
  return "";
}

TEST_P(BrokenManifest, IsRefusedWithThisMessage) {
  EXPECT_EQ("\n" + messages(GetParam().text, GetParam().setting) + "\n", GetParam().message);
}

}  // namespace attune
