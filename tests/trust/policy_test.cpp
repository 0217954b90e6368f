// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/trust/policy.h"

#include <gtest/gtest.h>

#include "faults/process.h"
#include "kernel/host/exit.h"

namespace attune {
namespace {

using namespace attune::testing;

std::string refusal(const std::string& toml) {
  try {
    parse_policy(toml, "site.toml");
  } catch (const ExitError& error) {
    EXPECT_EQ(error.exit(), Exit::kTrust);
    return error.what();
  }
  return "";
}

std::string key_line() {
  const std::string text = public_key_text(new_secret_key().public_key());
  const size_t second = text.find('\n') + 1;
  return text.substr(second, text.size() - second - 1);
}

TEST(Policy, NamesKeysAndRevokesThem) {
  const Policy policy = parse_policy("[trust]\nrequire = \"signed\"\n[[trust.key]]\nname = \"a\"\nkey = \"" + key_line() +
                                         "\"\n[[trust.revoked]]\nid = \"e7620f1842b4e81f\"\nreason = \"lost\"\n",
                                     "site.toml");

  EXPECT_EQ(policy.require, Policy::Require::kSigned);
  EXPECT_EQ(policy.keys.at(0).name, "a");
  EXPECT_EQ(policy.revoked.at("E7620F1842B4E81F"), "lost");
  EXPECT_EQ(policy.file, "site.toml");
}

TEST(Policy, TrustsNobodyWhereItCannotBeUnderstood) {
  for (const auto& [toml, part] :
       {std::pair<std::string, std::string>{"[trust]\nrequire = \"sometimes\"\n", "sometimes"},
        {"[trust]\nrequired = \"signed\"\n", "required"},
        {"[trust", "line 1"},
        {"[trust]\nrequire = \"signed\"\n", "at least one [[trust.key]]"},
        {"[[trust.key]]\nname = \"a\"\nkey = \"nonsense\"\n", "trust.key \"a\""},
        {"[[trust.revoked]]\nid = \"12\"\n", "16 hex digits"}}) {
    const std::string message = refusal(toml);
    EXPECT_NE(message.find(part), std::string::npos) << toml << "\n" << message;
    EXPECT_EQ(message.rfind("site.toml: ", 0), 0u) << message;
  }
}

TEST(Policy, IsThatOfTheFirstFileThereIs) {
  const TemporaryFolder folder;
  write_file(folder.path / "second.toml", "[trust]\nrequire = \"locked\"\n");
  write_file(folder.path / "third.toml", "[trust]\nrequire = \"none\"\n");
  const auto path = [&](const char* name) { return (folder.path / name).string(); };

  EXPECT_EQ(read_policy({{path("first.toml")}, {path("second.toml")}, {path("third.toml")}}).require,
            Policy::Require::kLocked);
  EXPECT_EQ(read_policy({{path("first.toml")}}).require, Policy::Require::kNone);
  EXPECT_THROW(read_policy({{path("first.toml"), /*required=*/true}}), ExitError);
}

}  // namespace
}  // namespace attune
