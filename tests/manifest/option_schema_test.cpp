// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/manifest/option_schema.h"

#include <gtest/gtest.h>

#include "kernel/host/manifest/manifest_schema.h"
#include "kernel/host/manifest/nearest.h"
#include "kernel/host/manifest/toml_library.h"

namespace attune {
namespace {

std::vector<OptionSchema> parse(std::string_view text) {
  return parse_option_schemas(toml::parse(text));
}

const char* const kOptions = R"(
[rate]
type = "float"
required = true
above = 0.0
below = 1
help = "Share"

[count]
type = "int"
default = 3
min = 1
help = "How many"

[password]
type = "string"
secret = true
default = "none"
help = "For the site"

[modes]
type = "list"
items = "enum"
choices = ["a", "b"]
default = ["a"]
help = "Which ones"

[sources]
type = "list"
items = "table"
help = "Where from"

[sources.members.weight]
type = "float"
default = 1
help = "How much"
)";

TEST(OptionSchema, KeepsTheOrderOfTheFile) {
  const auto schemas = parse(kOptions);

  ASSERT_EQ(schemas.size(), 5u);
  EXPECT_EQ(schemas[0].name, "rate");
  EXPECT_EQ(schemas[4].name, "sources");
  EXPECT_EQ(schemas[0].above, 0.0);
  EXPECT_EQ(schemas[0].below, 1.0);
  EXPECT_TRUE(schemas[2].secret);
  EXPECT_EQ(schemas[4].members[0].default_value->dump(), "1.0");
}

TEST(OptionSchema, PrintsAlignedHelp) {
  EXPECT_EQ(format_options(parse(kOptions)),
            R"(  rate      float, required, above 0.0, below 1.0  Share
  count     int, default 3, at least 1             How many
  password  string, secret                         For the site
  modes     list of a | b, default ["a"]           Which ones
  sources   list of table                          Where from
    weight  float, default 1.0                     How much
)");
}

TEST(OptionSchema, ValidatesValuesThatNoManifestWrote) {
  const auto schemas = parse(kOptions);

  const Json made =
      validate_options(schemas, Json::parse(R"({"rate": 0.5, "sources": [{}, {"weight": 2}]})"));

  EXPECT_EQ(made.dump(), R"({"rate":0.5,"count":3,"password":"none","modes":["a"],)"
                         R"("sources":[{"weight":1.0},{"weight":2.0}]})");
}

TEST(OptionSchema, ListsEveryMistakeOfSuchValues) {
  try {
    validate_options(parse(kOptions), Json::parse(R"({"rtae": 0.5, "count": 0, "modes": ["c"]})"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "`rate` is missing: the table of options needs it; `rate` (float, required, above "
              "0.0, below "
              "1.0): Share\n"
              "`count` is out of range: must be at least 1; How many\n"
              "`modes` cannot be `c`: expected a | b; did you mean `a`?\n"
              "unknown key `rtae`: not a key of the table of options; did you mean `rate`? (float, "
              "required, above 0.0, "
              "below 1.0)");
  }
}

TEST(OptionSchema, RefusesDeclarationsThatAreWrong) {
  const struct {
    const char* text;
    const char* message;
  } rows[] = {
      {"a = 3", "option `a`: declared by a table: type = ..., help = ..."},
      {"[a]\nhelp = \"h\"",
       "option `a`: `type` is missing; it is one of bool, int, count, float, string, path, enum, list, "
       "table"},
      {"[a]\ntype = \"text\"\nhelp = \"h\"",
       "option `a`: unknown type `text`; known are bool, int, count, float, string, path, enum, list, "
       "table"},
      {"[a]\ntype = \"int\"", "option `a`: `help` is missing; say in one sentence what it does"},
      {"[a]\ntype = \"int\"\nhlp = \"h\"", "option `a`: unknown key `hlp`; did you mean `help`?"},
      {"[a]\ntype = \"int\"\nhelp = 3", "option `a`: `help` takes a string, not an integer"},
      {"[a]\ntype = \"int\"\nmin = \"3\"\nhelp = \"h\"", "option `a`: `min` takes a number"},
      {"[a]\ntype = \"int\"\nrequired = 1\nhelp = \"h\"", "option `a`: `required` takes a bool"},
      {"[a]\ntype = \"int\"\nrequired = true\ndefault = 1\nhelp = \"h\"",
       "option `a`: required, so a default is never used"},
      {"[a]\ntype = \"int\"\ndefault = 1.5\nhelp = \"h\"",
       "option `a`: its default is refused: `a` takes an integer: this is a float; h"},
      {"[a]\ntype = \"int\"\ndefault = 1\nmin = 2\nhelp = \"h\"",
       "option `a`: its default is refused: `a` is out of range: must be at least 2; h"},
      {"[a]\ntype = \"enum\"\nhelp = \"h\"", "option `a`: an enum lists its `choices`"},
      {"[a]\ntype = \"string\"\nchoices = [\"x\"]\nhelp = \"h\"",
       "option `a`: only an enum has `choices`"},
      {"[a]\ntype = \"list\"\nhelp = \"h\"",
       "option `a`: a list says in `items` what it holds: bool, int, count, float, string, path, enum or "
       "table"},
      {"[a]\ntype = \"string\"\nmin = 1\nhelp = \"h\"", "option `a`: only a number has bounds"},
      {"[a]\ntype = \"table\"\nhelp = \"h\"\n[a.members.b]\ntype = \"int\"",
       "option `a.b`: `help` is missing; say in one sentence what it does"},
  };
  for (const auto& row : rows) {
    try {
      parse(row.text);
      ADD_FAILURE() << row.text;
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), row.message) << row.text;
    }
  }
}

TEST(ManifestSchema, SaysWhatEveryKeyDoes) {
  const std::string help = manifest_help();

  EXPECT_NE(help.find("[optimizer]  How gradients move the weights\n  read by: train (required)\n"),
            help.npos);
  EXPECT_NE(help.find("learning_rate  float, required, above 0.0"), help.npos);
  EXPECT_NE(help.find("[[evaluate]]"), help.npos);
}

TEST(Nearest, CountsEditsAndSwaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("lerning_rate", "learning_rate"), 1u);
  EXPECT_EQ(edit_distance("stpes", "steps"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Nearest, StaysSilentBeyondAThirdOfTheWord) {
  EXPECT_EQ(nearest("stpes", {"seed", "steps"}), "steps");
  EXPECT_EQ(nearest("colour", {"beta", "use"}), "");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace attune
