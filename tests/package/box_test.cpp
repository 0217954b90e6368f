// SPDX-License-Identifier: Apache-2.0
// An evaluation box: a root with nothing in it but five packages and the system libraries that they need. It asks a server.
#include <gtest/gtest.h>
#include <unistd.h>

#include "cli/shell.h"
#include "faults/process.h"
#include "kernel/host/json.h"
#include "support/http_server.h"

namespace attune::testing {
namespace {

/// Answers "4" to what asks for two and two, else "5".
HttpReply sums(const HttpRequest& request, size_t) {
  const Json body = Json::parse(request.body);
  const std::string question = body["messages"].back()["content"];
  const bool right = request.head.find("Bearer secret-of-the-box") != std::string::npos && has(question, "2 + 2");
  const Json choice = {{"message", {{"content", right ? "4" : "5"}}}, {"finish_reason", "stop"}};
  return {.body = Json{{"choices", {choice}}}.dump()};
}

class Box : public ::testing::Test {
 protected:
  void SetUp() override {
    root = folder.path / "root";
    for (const char* component : {"host", "datasets", "evaluators", "readers", "generators"}) {
      const std::string packages = ATTUNE_PACKAGES "/attune";
      const Outcome unpacked = shell("mkdir -p '" + root.string() + "' && cd '" + root.string() + "' && if [ -e '" + packages + "-host_'*.deb ]; then dpkg-deb -x '" +
                                     packages + "-" + component + "_'*.deb .; else tar xzf '" + packages + "-'*-" + component + ".tar.gz; fi");
      ASSERT_EQ(unpacked.code, 0) << unpacked.text << "made by the test Package.Packs: ctest -R Box";
    }
    // The loader's libraries, each at the path where the loader looks.
    const Outcome libraries = shell("cd '" + root.string() + "' && for f in usr/bin/attune usr/lib/attune/*.so; do ldd $f; done | grep -o '/[^ ]*' | sort -u | while read f; do "
                                    "mkdir -p .$(dirname $f) && cp -L $f .$f; done; mkdir -p tmp job proc dev && touch dev/null");
    ASSERT_EQ(libraries.code, 0) << libraries.text;
    write_file(root / "job/sums.jsonl", "{\"question\": \"2 + 2?\", \"answer\": \"4\"}\n{\"question\": \"3 + 3?\", \"answer\": \"6\"}\n");
  }

  void write_manifest(const HttpServer& server) {
    write_file(root / "job/run.toml", R"(schema = 1
[env.API_KEY]
secret = true
[run]
kind = "evaluate"
name = "box"
[generator]
use = "openai"
url = ")" + server.url() + R"("
model = "sums"
api_key = "${API_KEY}"
[[evaluate]]
use = "exact_match"
[evaluate.data]
use = "columns"
path = "sums.jsonl"
columns = { prompt = "question", answer = "answer" }
)");
  }

  /// Runs `attune WORDS` in the box, where the system lets us enter it; else, with its files, outside. "@" in the words is the root.
  Outcome attune(const std::string& words) {
    const std::string environment = "env -i PATH=\"$PATH\" API_KEY=secret-of-the-box ";
    const std::string enter = std::string(::geteuid() == 0 ? "unshare -m" : "unshare -r -m -p -f") +
                              " sh -c 'mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \"$@\"' '" + root.string() + "' ";
    const bool inside = shell(environment + enter + "/usr/bin/attune --version").code == 0;
    std::string line = words;
    for (size_t at; (at = line.find('@')) != line.npos;) line.replace(at, 1, inside ? "" : root.string());
    return shell(environment + "HOME='" + (inside ? "" : root.string()) + "/tmp' " + (inside ? enter : root.string()) + "/usr/bin/attune " + line);
  }

  TemporaryFolder folder;
  fs::path root;
};

TEST_F(Box, HasNoLibTorchAndNoEngine) {
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    for (const char* absent : {"torch", "c10", "attune-engine", "cuda", "opencv", "avcodec"}) EXPECT_FALSE(has(name, absent)) << entry.path();
  }
}

TEST_F(Box, ListsItsPluginsAndWouldLoadEachOfThem) {
  const Outcome listed = attune("plugins list");

  EXPECT_EQ(listed.code, 0);
  for (const char* there : {"dataset/1    columns", "evaluator/1  exact_match", "reader/1     jsonl", "generator/1  openai"}) EXPECT_TRUE(has(listed.text, there)) << listed.text;
  EXPECT_FALSE(has(listed.text, "model/1")) << listed.text;
  EXPECT_EQ(attune("plugins doctor").code, 0) << attune("plugins doctor").text;
}

TEST_F(Box, EvaluatesAServer) {
  const HttpServer server(&sums);
  write_manifest(server);

  const Outcome checked = attune("check @/job/run.toml");
  EXPECT_EQ(checked.code, 0) << checked.text;
  const Outcome run = attune("run @/job/run.toml --json --set 'run.output=\"@/tmp/runs\"'");

  ASSERT_EQ(run.code, 0) << run.text;
  const Json results = Json::parse(run.text.substr(run.text.find('{')));
  EXPECT_EQ(results["stages"][0]["results"]["evaluate"]["exact_match"]["metrics"]["exact_match"]["value"], 0.5) << run.text;
  EXPECT_EQ(server.requests().size(), 2u);
  // The secret reached the server and no file.
  EXPECT_NE(shell("grep -r secret-of-the-box '" + root.string() + "'").code, 0);
}

}  // namespace
}  // namespace attune::testing
