// SPDX-License-Identifier: Apache-2.0
// Every dataset with a rows.json in its folder: rows, options, and what becomes of them. A new one
// joins by that file alone, a list of
//   {"name": ..., "options": {...}, "row": {...}, "sample": {...}}, or "samples": [...] of several,
//   or "refused": "the whole message". Options left out have their defaults.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include "datasets/declared.h"
#include "kernel/host/validate/shapes.h"
#include "plugins/datasets/mapped.h"

namespace attune::testing {
namespace {
namespace fs = std::filesystem;
using Path = Json::json_pointer;

const fs::path kFolder = ATTUNE_SOURCE_DIR "/plugins/datasets";

std::vector<std::string> folders_with(const char* file) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (fs::exists(entry.path() / file)) found.push_back(entry.path().filename().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// Every path of a field in a row, list items included.
std::vector<Path> fields(const Json& at, const Path& path = Path()) {
  std::vector<Path> found;
  size_t index = 0;
  for (const auto& [key, value] : at.items()) {
    found.push_back(at.is_array() ? path / index++ : path / key);
    if (!value.is_structured()) continue;
    const auto below = fields(value, found.back());
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

/// The field of the row that a path begins with.
std::string root(const Path& path) {
  return path.parent_pointer().empty() ? path.back() : root(path.parent_pointer());
}

void take_out(Json& row, const Path& path) {
  Json& parent = row[path.parent_pointer()];
  if (parent.is_object())
    parent.erase(path.back());
  else
    parent.erase(std::stoul(path.back()));
}

const std::vector<Json>& wrong_values() {
  static const auto& all =
      *new std::vector<Json>{Json(),
                             3,
                             -1,
                             INT64_MAX,
                             INT64_MIN,
                             -0.5,
                             1e300,
                             "",
                             " \n",
                             "x",
                             "assistant",
                             true,
                             Json::array(),
                             Json::object(),
                             {{"a", 1}},
                             {1, "b"},
                             {nullptr},
                             {Json::object()},
                             Json::parse(R"([["a", "b"], {"role": "user", "content": "c"}])")};
  return all;
}

class DatasetRows : public ::testing::TestWithParam<std::string> {
 protected:
  /// The samples of a row as a list, or why it is refused as a text.
  Json outcome(const Json& options, const Json& row) const {
    Json made = Json::array();
    try {
      each_sample(GetParam(), options, row, [&](const attune_sample& sample) {
        made.push_back(readable(sample));
        const std::string fault = shape_fault(sample, about.samples);
        EXPECT_EQ(fault, "") << row << "\n" << made.back();
      });
    } catch (const PluginFailure& failure) {
      EXPECT_EQ(failure.code, ATTUNE_E_INVALID) << failure.what() << "\n" << row;
      return failure.what();
    }
    return made;
  }

  /// A row with something wrong in `field` maps, or is refused in words that name the field.
  void expect_named(const Json& one, const Json& row, const std::string& field) const {
    const Json found = outcome(options(one), row);
    if (!found.is_string()) return;
    EXPECT_NE(found.get<std::string>().find("`" + field), std::string::npos)
        << found << "\nexpected to name " << field << " of " << row;
  }

  Json options(const Json& one) const {
    return completed(GetParam(), one.value("options", Json::object()));
  }

  static bool maps(const Json& one) { return !one.contains("refused"); }

  const Json cases = Json::parse(std::ifstream(kFolder / GetParam() / "rows.json"));
  const Declared about = declared(GetParam());
};

TEST_P(DatasetRows, BecomeTheSamplesWrittenBesideThem) {
  size_t good = 0, refused = 0;
  for (const Json& one : cases) {
    const Json expected = one.contains("sample") ? Json::array({one["sample"]})
                          : maps(one)            ? one.at("samples")
                                                 : one.at("refused");
    EXPECT_EQ(outcome(options(one), one.at("row")), expected) << one.at("name");
    ++(maps(one) ? good : refused);
  }
  EXPECT_GE(good, 1u);
  EXPECT_GE(refused, 2u);
  std::cout << GetParam() << ": " << good << " mapped, " << refused << " refused\n";
}

TEST_P(DatasetRows, CoverEveryShapeThatIsDeclared) {
  for (const std::string& shape : about.samples) {
    bool made = false;
    for (const Json& one : cases) {
      if (!maps(one)) continue;
      each_sample(GetParam(), options(one), one["row"], [&](const attune_sample& sample) {
        made = made || shape_fault(sample, {shape}).empty();
      });
    }
    EXPECT_TRUE(made) << "no row becomes a " << shape << " sample";
  }
}

TEST_P(DatasetRows, ShowEveryValueOfEveryOption) {
  for (const Declared::Option& option : about.options) {
    for (const Json& value : option.values) {
      EXPECT_TRUE(std::any_of(
          cases.begin(), cases.end(),
          [&](const Json& one) { return maps(one) && options(one)[option.name] == value; }))
          << "no row maps with " << option.name << " = " << value;
    }
  }
}

TEST_P(DatasetRows, ChangeWithEveryOption) {
  for (const Declared::Option& option : about.options) {
    if (option.otherwise.is_null()) continue;
    auto values = option.values;
    if (values.empty()) values.push_back(option.otherwise);
    for (const Json& value : values) {
      EXPECT_TRUE(std::any_of(cases.begin(), cases.end(),
                              [&](const Json& one) {
                                Json other = options(one);
                                if (other[option.name] == value) return false;
                                other[option.name] = value;
                                return outcome(other, one["row"]) !=
                                       outcome(options(one), one["row"]);
                              }))
          << "no row changes with " << option.name << " = " << value;
    }
  }
}

TEST_P(DatasetRows, WithoutAFieldMapOrAreRefusedByItsName) {
  for (const Json& one : cases) {
    if (!maps(one)) continue;
    for (const Path& path : fields(one["row"])) {
      Json row = one["row"];
      take_out(row, path);
      expect_named(one, row, root(path));
    }
  }
}

TEST_P(DatasetRows, WithAFieldOfAnotherKindMapOrAreRefusedByItsName) {
  for (const Json& one : cases) {
    if (!maps(one)) continue;
    for (const Path& path : fields(one["row"])) {
      for (const Json& wrong : wrong_values()) {
        Json row = one["row"];
        row[path] = wrong;
        expect_named(one, row, root(path));
      }
    }
  }
}

TEST_P(DatasetRows, OfAnyOtherContentMapOrAreRefusedByAName) {
  std::mt19937 random(7);
  const auto below = [&](size_t limit) { return size_t(random() % limit); };
  for (const Json& one : cases) {
    if (!maps(one)) continue;
    for (const Json& wrong : wrong_values()) expect_named(one, wrong, "");
    for (int i = 0; i < 100; ++i) {
      Json row = one["row"];
      for (size_t n = 2 + below(3); n > 0; --n) {
        const auto paths = fields(row);
        if (paths.empty()) break;
        const Path& path = paths[below(paths.size())];
        if (below(4) == 0)
          take_out(row, path);
        else if (below(3) == 0)
          row[path] = Json(one["row"][root(paths[below(paths.size())])]);
        else
          row[path] = wrong_values()[below(wrong_values().size())];
      }
      expect_named(one, row, "");
    }
  }
}

TEST_P(DatasetRows, AreDocumented) {
  std::stringstream page;
  page << std::ifstream(ATTUNE_SOURCE_DIR "/docs/datasets.md").rdbuf();
  std::string samples, options;
  for (const auto& each : about.samples) samples += (samples.empty() ? "" : ", ") + each;
  for (const auto& each : about.options)
    options += (options.empty() ? "`" : ", `") + each.name + "`";
  const std::string line = "\n| `" + GetParam() + "` | " + samples + " | " + options + " |";
  EXPECT_NE(page.str().find(line), std::string::npos) << "docs/datasets.md has no line" << line;
}

INSTANTIATE_TEST_SUITE_P(Every, DatasetRows, ::testing::ValuesIn(folders_with("rows.json")),
                         [](const auto& info) { return info.param; });

TEST(DatasetRowsAll, AreWhatTheFoldersHold) {
  EXPECT_EQ(folders_with("rows.json"), folders_with("plugin.toml"));
}

}  // namespace
}  // namespace attune::testing
