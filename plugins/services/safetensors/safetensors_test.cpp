// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include "support/plugin_under_test.h"

using namespace attune;
using namespace attune::testing;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "safetensors_XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string put(const std::string& name, const std::string& bytes) const {
    fs::remove(path_ / name);  // Some file systems flush a file that is written over.
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return *this / name;
  }

 private:
  fs::path path_;
};

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string file_of(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i));
  return length + header + data;
}

std::string floats(std::initializer_list<float> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(float)};
}

struct Read {
  std::string name;
  int32_t dtype;
  std::vector<int64_t> shape;
  std::string bytes;
  bool operator==(const Read&) const = default;
};

class Weights {
 public:
  explicit Weights(const std::string& path)
      : plugin_("safetensors", "weights/1", "safetensors", {{"path", path}}) {}

  std::vector<Read> list() {
    return collect([&](auto* sink) { return plugin_->list(plugin_.self(), sink); });
  }
  Read read(const std::string& name) {
    return collect([&](auto* sink) { return plugin_->read(plugin_.self(), str(name), sink); })
        .at(0);
  }
  void write(const std::string& path, const std::vector<attune_tensor>& tensors,
             const attune_value* metadata = nullptr) {
    plugin_.check(
        plugin_->write(plugin_.self(), str(path), tensors.data(), tensors.size(), metadata));
  }
  int32_t document(const std::string& name) {
    const attune_text_sink sink{ATTUNE_END(attune_text_sink, emit), 0, nullptr, nullptr};
    return plugin_->document(plugin_.self(), str(name), &sink);
  }

 private:
  template <typename Call>
  std::vector<Read> collect(Call call) {
    std::vector<Read> found;
    const attune_tensor_sink sink{
        ATTUNE_END(attune_tensor_sink, emit), 0, &found,
        [](void* context, const attune_tensor* t) -> int32_t {
          static_cast<std::vector<Read>*>(context)->push_back(
              {string(t->name),
               t->dtype,
               {t->shape, t->shape + t->n_dims},
               std::string(static_cast<const char*>(t->data.data), t->data.size)});
          return ATTUNE_OK;
        }};
    plugin_.check(call(&sink));
    return found;
  }

  PluginUnderTest<attune_weights> plugin_;
};

std::string why(const std::function<void()>& action) {
  try {
    action();
  } catch (const PluginFailure& failure) {
    return failure.what();
  }
  return "";
}

const std::string kTwo =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
    R"("a":{"dtype":"I16","shape":[1,3],"data_offsets":[8,14]}})";

attune_tensor tensor(const char* name, int32_t dtype, const std::vector<int64_t>& shape,
                     const std::string& bytes) {
  return {str(name),
          dtype,
          static_cast<int32_t>(shape.size()),
          shape.data(),
          {bytes.data(), bytes.size()}};
}

}  // namespace

TEST(Safetensors, ListsTensorsInTheOrderOfTheirBytes) {
  const Folder folder;
  Weights weights(folder.put("a.safetensors", file_of(kTwo, floats({1, 2}) + "abcdef")));

  const std::vector<Read> expected{{"b", ATTUNE_F32, {2}, ""}, {"a", ATTUNE_I16, {1, 3}, ""}};
  EXPECT_EQ(weights.list(), expected);
}

TEST(Safetensors, ReadsATensorByName) {
  const Folder folder;
  Weights weights(folder.put("a.safetensors", file_of(kTwo, floats({1, 2}) + "abcdef")));

  EXPECT_EQ(weights.read("a"), (Read{"a", ATTUNE_I16, {1, 3}, "abcdef"}));
  EXPECT_EQ(weights.read("b"), (Read{"b", ATTUNE_F32, {2}, floats({1, 2})}));
}

TEST(Safetensors, AlignsTheElementsOfAnUnalignedFile) {
  const Folder folder;
  for (int spaces = 0; spaces < 8; ++spaces) {
    const std::string header = R"({"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})";
    PluginUnderTest<attune_weights> plugin(
        "safetensors", "weights/1", "safetensors",
        {{"path",
          folder.put("x.safetensors", file_of(header + std::string(spaces, ' '), "12345678"))}});
    const attune_tensor_sink sink{ATTUNE_END(attune_tensor_sink, emit), 0, nullptr,
                                  [](void*, const attune_tensor* t) -> int32_t {
                                    EXPECT_EQ(reinterpret_cast<uintptr_t>(t->data.data) % 8, 0u);
                                    EXPECT_EQ(std::memcmp(t->data.data, "12345678", 8), 0);
                                    return ATTUNE_OK;
                                  }};

    plugin.check(plugin->read(plugin.self(), str("x"), &sink));
  }
}

TEST(Safetensors, RefusesAnUnknownDtypeOnlyWhenItsTensorIsRead) {
  const Folder folder;
  const std::string header =
      R"({"f":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},)"
      R"("x":{"dtype":"X9","shape":[7],"data_offsets":[2,3]},"u":{"dtype":"U8","shape":[],"data_offsets":[3,4]}})";
  Weights weights(folder.put("f.safetensors", file_of(header, "wxyz")));

  EXPECT_EQ(weights.list().size(), 3u);
  EXPECT_EQ(weights.read("u"), (Read{"u", ATTUNE_U8, {}, "z"}));
  EXPECT_NE(why([&] { weights.read("f"); }).find("tensor \"f\" has dtype F8_E4M3"),
            std::string::npos);
  EXPECT_NE(why([&] { weights.read("x"); }).find("tensor \"x\" has dtype X9"), std::string::npos);
}

TEST(Safetensors, NamesWhatIsWrongWithAFile) {
  const auto one = [](const char* entry) { return R"({"t":)" + std::string(entry) + "}"; };
  const struct {
    std::string header, data, message;
  } rows[] = {
      {"", "", "the header is no JSON"},
      {"[1]", "", "expected a JSON object as header, found [1]"},
      {"{\"t\":{}", "", "the header is no JSON"},
      {std::string(5000, '['), "", "nests deeper"},
      {one("3"), "", "tensor \"t\": expected a string `dtype`, found null"},
      {one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})"), "1234",
       "tensor \"t\": expected a list of sizes as `shape`, found [-1]"},
      {one(R"({"dtype":"F32","shape":[1],"data_offsets":[0]})"), "1234",
       "tensor \"t\": expected [begin, end] as `data_offsets`, found [0]"},
      {one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})"), "1234",
       "tensor \"t\": expected offsets within the 4 bytes of data, found [4,0]"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "1234",
       "tensor \"t\": expected offsets within the 4 bytes of data, found [0,8]"},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"), "1234",
       "tensor \"t\": F32 of shape [2] takes 8 bytes, found 4"},
      {one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]})"), "1234",
       "takes more than 2^64 bytes, found 4"},
      {one(R"({"dtype":"U8","shape":[2],"data_offsets":[1,3]})"), "123",
       "tensor \"t\": expected its bytes to begin at 0, where the one before ends, found 1 (a "
       "hole)"},
      {one(R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})"), "123",
       "expected the tensors to fill all 3 bytes of data, found that they end at 2"},
      {R"({"s":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"t":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       "123",
       "tensor \"t\": expected its bytes to begin at 2, where the one before ends, found 1 (an "
       "overlap)"},
      {R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
       "1", "tensor \"t\" is there twice"},
  };
  const Folder folder;
  for (const auto& row : rows) {
    const std::string path = folder.put("x.safetensors", file_of(row.header, row.data));

    const std::string found = why([&] { Weights{path}; });

    EXPECT_NE(found.find(row.message), std::string::npos) << row.header << "\n  gives: " << found;
    EXPECT_EQ(found.find(path), 0u) << found;
  }
}

TEST(Safetensors, RefusesEveryTruncation) {
  const Folder folder;
  const std::string whole = file_of(kTwo, floats({1, 2}) + "abcdef");
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string path = folder.put("t.safetensors", whole.substr(0, size));

    EXPECT_THROW(Weights{path}, PluginFailure) << size << " bytes";
  }
}

TEST(Safetensors, SurvivesFlippedBytes) {
  const Folder folder;
  const std::string whole = file_of(kTwo, floats({1, 2}) + "abcdef");
  std::mt19937 random(7);
  for (int round = 0; round < 1500; ++round) {
    std::string bytes = whole;
    for (int flips = 1 + round % 3; flips > 0; --flips) {
      bytes[random() % (8 + kTwo.size())] = static_cast<char>(random());
    }
    const std::string path = folder.put("f.safetensors", bytes);
    why([&] {
      Weights weights(path);
      for (const Read& tensor : weights.list()) weights.read(tensor.name);
    });
  }
}

TEST(Safetensors, ReadsTheShardsOfAnIndex) {
  const Folder folder;
  folder.put("m-1.safetensors",
             file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "A"));
  folder.put("m-2.safetensors",
             file_of(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "B"));
  Weights weights(folder.put("m.safetensors.index.json",
                             R"({"weight_map":{"b":"m-2.safetensors","a":"m-1.safetensors"}})"));

  EXPECT_EQ(weights.list().at(0).name, "b");
  EXPECT_EQ(weights.read("a").bytes, "A");
  EXPECT_EQ(weights.read("b").bytes, "B");
}

TEST(Safetensors, OpensAShardOnlyWhenItIsNeeded) {
  const Folder folder;
  folder.put("m-1.safetensors",
             file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "A"));
  Weights weights(folder.put(
      "m.safetensors.index.json",
      R"({"weight_map":{"a":"m-1.safetensors","b":"gone.safetensors","c":"m-1.safetensors"}})"));

  EXPECT_EQ(weights.read("a").bytes, "A");
  const std::string missing = why([&] { weights.read("b"); });
  EXPECT_NE(missing.find("gone.safetensors: cannot open it"), std::string::npos) << missing;
  EXPECT_NE(missing.find("named by"), std::string::npos) << missing;
  const std::string absent = why([&] { weights.read("c"); });
  EXPECT_NE(absent.find("m-1.safetensors: no tensor \"c\""), std::string::npos) << absent;
}

TEST(Safetensors, RefusesAnIndexThatLeavesItsFolder) {
  const Folder folder;
  const std::string path =
      folder.put("m.safetensors.index.json", R"({"weight_map":{"a":"../m.safetensors"}})");

  EXPECT_NE(why([&] { Weights{path}; }).find("expected the name of a file in the same folder"),
            std::string::npos);
}

TEST(Safetensors, WritesWhatItReads) {
  const Folder folder;
  const std::string x = floats({1.5f, -2, 3, 4}), flag("\1", 1);
  const std::string path = folder / "out.safetensors";

  Weights("").write(
      path, {tensor("z.weight", ATTUNE_F32, {2, 2}, x), tensor("a \"q\"", ATTUNE_BOOL8, {}, flag),
             tensor("empty", ATTUNE_BF16, {0, 4}, "")});

  Weights weights(path);
  EXPECT_EQ(weights.read("z.weight"), (Read{"z.weight", ATTUNE_F32, {2, 2}, x}));
  EXPECT_EQ(weights.read("a \"q\""), (Read{"a \"q\"", ATTUNE_BOOL8, {}, flag}));
  EXPECT_EQ(weights.read("empty"), (Read{"empty", ATTUNE_BF16, {0, 4}, ""}));
  EXPECT_FALSE(fs::exists(path + ".part"));
}

TEST(Safetensors, WritesAnAlignedHeaderInTheGivenOrder) {
  const Folder folder;
  const std::string path = folder / "out.safetensors";
  Arena arena;
  const attune_value metadata = to_value({{"step", "7"}}, arena);

  Weights("").write(path, {tensor("z", ATTUNE_U8, {1}, "Z"), tensor("a", ATTUNE_U8, {2}, "AA")},
                    &metadata);

  const std::string header =
      R"({"__metadata__":{"format":"pt","step":"7"},"z":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
      R"("a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(slurp(path), file_of(padded, "ZAA"));
}

TEST(Safetensors, ReplacesAFileOnlyByAWholeOne) {
  const Folder folder;
  const std::string path = folder.put("out.safetensors", "what was there");

  EXPECT_EQ(why([&] { Weights("").write(path, {tensor("t", ATTUNE_F32, {2}, "1234")}); }),
            path + ": tensor \"t\": F32 of shape [2] takes 8 bytes, found 4");

  EXPECT_EQ(slurp(path), "what was there");
  EXPECT_FALSE(fs::exists(path + ".part"));
}

TEST(Safetensors, NamesWhatCannotBeWritten) {
  const Folder folder;
  const std::string path = folder / "out.safetensors";
  Arena arena;
  const attune_value numbers = to_value({{"step", 7}}, arena);

  EXPECT_NE(why([&] { Weights("").write(path, {tensor("t", 99, {1}, "1")}); }).find("found 99"),
            std::string::npos);
  EXPECT_NE(why([&] {
              Weights("").write(
                  path, {tensor("t", ATTUNE_U8, {1}, "1"), tensor("t", ATTUNE_U8, {1}, "1")});
            }).find("tensor \"t\": the name is taken"),
            std::string::npos);
  EXPECT_NE(why([&] {
              Weights("").write(path, {}, &numbers);
            }).find("metadata \"step\": expected a string, found an integer"),
            std::string::npos);
  EXPECT_NE(why([&] {
              Weights("").write(folder / "no/such/out.safetensors", {});
            }).find("cannot create it"),
            std::string::npos);
}

TEST(Safetensors, SaysHowManyBytesAFullDiskLacks) {
  const Folder folder;
  struct statvfs found {};
  ASSERT_EQ(statvfs((folder / "").c_str(), &found), 0);
  const size_t size = found.f_bavail * found.f_frsize + (size_t{1} << 30);
  void* nothing =
      mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(nothing, MAP_FAILED);
  const int64_t shape = static_cast<int64_t>(size);
  const attune_tensor huge{str("huge"), ATTUNE_U8, 1, &shape, {nothing, size}};
  const std::string path = folder / "out.safetensors";

  const std::string message = why([&] { Weights("").write(path, {huge}); });

  munmap(nothing, size);
  EXPECT_EQ(message.find(path + ": the disk is full: "), 0u) << message;
  EXPECT_NE(message.find(" bytes needed, "), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(path + ".part"));
}

TEST(Safetensors, HasNoDocuments) {
  EXPECT_EQ(Weights("").document("config.json"), ATTUNE_E_NOT_FOUND);
}

TEST(Safetensors, AsksForAPathBeforeItReads) {
  Weights weights("");

  EXPECT_NE(why([&] { weights.list(); }).find("expected option `path`"), std::string::npos);
}
