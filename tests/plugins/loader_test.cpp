// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/loader.h"

#include <gtest/gtest.h>

#include <thread>

#include "kernel/host/plugins/fp_mode.h"
#include "plugins/scratch.h"

namespace attune {
namespace {

using namespace attune::testing;

/// A loader over some fixtures, and what they logged.
struct Fixture {
  explicit Fixture(const std::vector<std::string>& names,
                   const std::string& engine = fixture_folder("engine") + "/libengine.so")
      : registry(folders(names)),
        loader(registry, engine, [this](std::string_view id, int level, std::string_view message) {
          logged +=
              std::string(id) + " " + std::to_string(level) + " " + std::string(message) + "\n";
        }) {}

  static std::vector<SearchFolder> folders(const std::vector<std::string>& names) {
    std::vector<SearchFolder> made;
    for (const auto& name : names) made.push_back({fixture_folder(name), "--plugin-path", true});
    return made;
  }

  std::string logged;
  Registry registry;
  Loader loader;
};

/// Maps one record; returns the number of samples, or throws as a caller in the host does.
int map(const attune_dataset& dataset, const Json& record) {
  Arena arena;
  const attune_value value = to_value(record, arena);
  int emitted = 0;
  const attune_sample_sink sink = {ATTUNE_END(attune_sample_sink, emit), 0, &emitted,
                                   [](void* context, const attune_sample*) {
                                     ++*static_cast<int*>(context);
                                     return int32_t{ATTUNE_OK};
                                   }};
  check(dataset.map(dataset.self, &value, &sink), "org.attune.test.good", "map");
  return emitted;
}

TEST(Loader, MakesAnObjectWithDefaultsApplied) {
  Fixture fixture({"good"});

  const auto dataset = fixture.loader.make<attune_dataset>("dataset/1", "good");

  EXPECT_EQ(map(*dataset, {{"text", "hello"}}), 1);
  EXPECT_EQ(fixture.logged, "org.attune.test.good 1 made\n");
}

TEST(Loader, HandsOptionsToThePlugin) {
  Fixture fixture({"good"});

  const auto dataset =
      fixture.loader.make<attune_dataset>("dataset/1", "good", {{"field", "q"}, {"repeat", 3}});

  EXPECT_EQ(map(*dataset, {{"q", "hello"}}), 3);
}

TEST(Loader, RefusesOptionsThatDoNotFitTheSchema) {
  Fixture fixture({"good"});

  for (const Json& options :
       {Json{{"repeat", 9}}, Json{{"repeat", "often"}}, Json{{"feild", "q"}}}) {
    try {
      fixture.loader.create("dataset/1", "good", options);
      FAIL() << options;
    } catch (const ExitError& error) {
      EXPECT_EQ(error.exit(), Exit::kManifest);
      EXPECT_HAS(error.what(), "dataset/1 \"org.attune.test.good:good\"");
    }
  }
}

TEST(Loader, TurnsAFailureIntoTheWordsOfThePlugin) {
  Fixture fixture({"good"});
  const auto dataset = fixture.loader.make<attune_dataset>("dataset/1", "good");

  EXPECT_EQ(message_of([&] {
              fixture.loader.create("dataset/1", "good", {{"field", ""}});
            }),
            "org.attune.test.good: create: a field has a name");
  EXPECT_EQ(message_of([&] {
              map(*dataset, {{"other", "x"}});
            }),
            "org.attune.test.good: map: expected the field \"text\", found none");
  EXPECT_EQ(last_failure(), "");
}

TEST(Loader, NamesTheCodeWhereAPluginSaysNothing) {
  last_failure();
  EXPECT_EQ(message_of([] { check(ATTUNE_E_IO, "a.b", "read"); }),
            "a.b: read: failed with code 4 (ATTUNE_E_IO) and no message");
  EXPECT_EQ(message_of([] { check(77, "a.b", "read"); }),
            "a.b: read: failed with code 77 and no message");
}

TEST(Loader, KeepsTheMessagesOfThreadsApart) {
  Fixture fixture({"good"});
  const auto one = fixture.loader.make<attune_dataset>("dataset/1", "good", {{"field", "one"}});
  const auto two = fixture.loader.make<attune_dataset>("dataset/1", "good", {{"field", "two"}});
  const auto fails = [](const attune_dataset& dataset, const std::string& field) {
    for (int i = 0; i < 1000; ++i)
      EXPECT_HAS(message_of([&] { map(dataset, Json::object()); }), "\"" + field + "\"");
  };

  std::thread other([&] { fails(*one, "one"); });
  fails(*two, "two");
  other.join();
}

TEST(Loader, InitialisesAPluginOnceAndAgainAfterShutdown) {
  Fixture first({"good"});
  first.loader.create("dataset/1", "good", {{"field", "a"}});
  first.loader.create("dataset/1", "good", {{"field", "b"}});
  first.loader.shutdown();

  Fixture second({"good"});
  EXPECT_NO_THROW(second.loader.make<attune_dataset>("dataset/1", "good"));
  second.loader.shutdown();
}

TEST(Loader, RefusesCodeThatIsNotWhatItsNoteSays) {
  for (const auto& [name, part] :
       {std::pair<std::string, std::string>{"wrong_id", "id \"org.attune.test.other\" in the code"},
        {"wrong_factory", "factory dataset/1 \"other\" in the code alone"}}) {
    Fixture bad({name});
    for (int attempt = 0; attempt < 2; ++attempt) {
      const std::string message = message_of([&] { bad.loader.create("dataset/1", name, {}); });
      EXPECT_HAS(message, "P-03 " + fixture(name));
      EXPECT_HAS(message, part);
    }
  }
}

TEST(Loader, RefusesAndUndoesAChangeOfTheFloatingPointMode) {
  Fixture bad({"fast_math"});
  const uint64_t before = fp_mode();

  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_HAS(message_of([&] { bad.loader.create("dataset/1", "fast_math", {}); }),
               "P-17 " + fixture("fast_math"));
    EXPECT_EQ(fp_mode(), before);
  }
}

TEST(Loader, NamesTheSymbolThatIsMissing) {
  Fixture bad({"missing_symbol"});

  const std::string message =
      message_of([&] { bad.loader.create("dataset/1", "missing_symbol", {}); });

  EXPECT_HAS(message, "P-08 " + fixture("missing_symbol"));
  EXPECT_HAS(message, "symbol_of_nobody");
}

TEST(Loader, CatchesWhatAPluginLetsOut) {
  Fixture bad({"throws"});

  EXPECT_HAS(
      message_of([&] { bad.loader.create("dataset/1", "throws", {}); }),
      "org.attune.test.throws: create: an exception left the plugin (rule P-11): out it goes");
}

TEST(Loader, NoticesSuccessWithoutAnObject) {
  Fixture bad({"makes_nothing"});

  EXPECT_HAS(message_of([&] { bad.loader.create("dataset/1", "makes_nothing", {}); }),
             "reported success and made nothing");
}

TEST(Loader, ProvesAllPluginsBeforeItLoadsAny) {
  Fixture fixture({"good", "two_exports", "exec_stack"});
  const Provider providers[] = {fixture.registry.resolve("dataset/1", "good"),
                                fixture.registry.resolve("dataset/1", "two_exports"),
                                fixture.registry.resolve("dataset/1", "exec_stack")};
  try {
    fixture.loader.prove(providers);
    FAIL();
  } catch (const Refused& refused) {
    ASSERT_EQ(refused.refusals().size(), 2u);
    EXPECT_EQ(refused.refusals()[0].rule, "P-01");
    EXPECT_EQ(refused.refusals()[1].rule, "P-09");
  }
}

TEST(Loader, OpensTheEngineBeforeAPluginOfTheTorchTier) {
  Fixture without({"torch_tier"}, "/there/is/none.so");
  EXPECT_HAS(message_of([&] { without.loader.create("dataset/1", "torch_tier", {}); }),
             "engine library /there/is/none.so");
  Fixture no_engine({"torch_tier"}, fixture("good"));
  EXPECT_HAS(message_of([&] { no_engine.loader.create("dataset/1", "torch_tier", {}); }),
             "expected it to export attune_engine_v1");

  Fixture with({"torch_tier"});
  EXPECT_NO_THROW(with.loader.make<attune_dataset>("dataset/1", "torch_tier"));
  EXPECT_NE(load_engine({"once it is there, nobody asks where"}), nullptr);
}

}  // namespace
}  // namespace attune
