// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/metadata.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <sstream>
#include <system_error>

#include "kernel/host/manifest/toml_library.h"
#include "kernel/host/plugins/elf_facts.h"
#include "kernel/host/plugins/refusal.h"

namespace attune {
namespace {

std::string in_quotes(std::string_view text) {
  std::string quoted(1, '"');
  return quoted.append(text).append(1, '"');
}

std::string type_of(const toml::node& node) {
  std::ostringstream text;
  text << node.type();
  return "a value of type " + text.str();
}

Json json_of(const toml::node& node) {
  Json json;
  node.visit([&](const auto& value) {
    using T = std::decay_t<decltype(value)>;
    if constexpr (toml::is_table<T>) {
      json = Json::object();
      for (const auto& [key, item] : value) json[std::string(key.str())] = json_of(item);
    } else if constexpr (toml::is_array<T>) {
      json = Json::array();
      for (const auto& item : value) json.push_back(json_of(item));
    } else if constexpr (toml::is_date<T> || toml::is_time<T> || toml::is_date_time<T>) {
      std::ostringstream text;
      text << value;
      json = text.str();
    } else {
      json = value.get();
    }
  });
  return json;
}

/// The keys of one table. `where` begins the name of a key in messages: "provides[0].".
class Keys {
 public:
  Keys(const toml::table& table, std::string where) : table_(table), where_(std::move(where)) {}

  [[noreturn]] void fail(std::string_view key, const std::string& expected,
                         const std::string& found) const {
    throw FormatError("`" + where_ + std::string(key) + "` to be " + expected, found);
  }

  std::string optional_text(std::string_view key, const std::string& otherwise) const {
    const toml::node* node = table_.get(key);
    if (!node) return otherwise;
    if (!node->is_string()) fail(key, "a string", type_of(*node));
    return node->as_string()->get();
  }

  std::string text(std::string_view key, std::string_view expected = "a string") const {
    if (!table_.contains(key)) fail(key, std::string(expected), "no such key");
    const std::string found = optional_text(key, "");
    if (found.empty()) fail(key, std::string(expected), "an empty string");
    return found;
  }

  /// A string of [a-z0-9] and the characters of `also`.
  std::string word(std::string_view key, std::string_view also, std::string_view expected) const {
    const std::string found = text(key, expected);
    const auto fits = [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.find(c) != also.npos;
    };
    if (!std::all_of(found.begin(), found.end(), fits))
      fail(key, std::string(expected), in_quotes(found));
    return found;
  }

  const toml::table& table(std::string_view key, std::string_view expected) const {
    const toml::node* node = table_.get(key);
    if (!node) fail(key, std::string(expected), "no such key");
    if (!node->is_table()) fail(key, std::string(expected), type_of(*node));
    return *node->as_table();
  }

  const toml::array& array(std::string_view key, std::string_view expected) const {
    const toml::node* node = table_.get(key);
    if (!node) fail(key, std::string(expected), "no such key");
    if (!node->is_array() || node->as_array()->empty())
      fail(key, std::string(expected), type_of(*node));
    return *node->as_array();
  }

 private:
  const toml::table& table_;
  std::string where_;
};

void parse_abi(const Keys& build, PluginInfo& info) {
  constexpr auto kExpected = "\"major.minor\", as the build helper writes it";
  const std::string text = build.text("abi", kExpected);
  const char* end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, info.abi_major);
  const bool dot = major.ec == std::errc() && major.ptr != end && *major.ptr == '.';
  const auto minor = dot ? std::from_chars(major.ptr + 1, end, info.abi_minor) : major;
  if (!dot || minor.ec != std::errc() || minor.ptr != end || info.abi_major < 0 ||
      info.abi_minor < 0) {
    build.fail("abi", kExpected, in_quotes(text));
  }
}

Provided parse_provided(const toml::table& table, const std::string& where,
                        const std::string& summary) {
  const Keys keys(table, where);
  Provided provided;
  provided.kind = keys.word("kind", "/_", "a kind and its version, like \"dataset/1\"");
  if (std::count(provided.kind.begin(), provided.kind.end(), '/') != 1) {
    keys.fail("kind", "a kind and its version, like \"dataset/1\"", in_quotes(provided.kind));
  }
  provided.name = keys.word("name", "-_.", "a name of a-z, 0-9, '-', '_' and '.'");
  provided.summary = keys.optional_text("summary", summary);
  if (table.contains("options")) {
    const toml::table& options = keys.table("options", "a table of option schemas");
    try {
      provided.options = parse_option_schemas(options);
    } catch (const Error& error) {
      keys.fail("options", "a table of option schemas", error.what());
    }
  }
  provided.metadata = json_of(table);
  return provided;
}

/// A regular file, read in parts.
class OpenFile final : public ByteSource {
 public:
  explicit OpenFile(const std::string& path)
      : path_(path), file_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (file_ < 0) give_up("cannot open: " + std::generic_category().message(errno));
    if (fstat(file_, &status_) == 0 && S_ISREG(status_.st_mode)) return;
    close(file_);
    give_up("expected a regular file");
  }
  ~OpenFile() override { close(file_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  bool world_writable() const { return (status_.st_mode & S_IWOTH) != 0; }
  uint64_t size() const override { return static_cast<uint64_t>(status_.st_size); }
  std::vector<std::byte> read(uint64_t offset, uint64_t size) const override {
    std::vector<std::byte> bytes(size);
    size_t done = 0;
    while (done < size) {
      const ssize_t n = pread(file_, bytes.data() + done, size - done,
                              static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) give_up("cannot be read to its end");
      done += static_cast<size_t>(n);
    }
    return bytes;
  }

 private:
  [[noreturn]] void give_up(const std::string& what) const {
    throw Error(path_ + ": " + what, ATTUNE_E_IO);
  }

  std::string path_;
  int file_;
  struct stat status_ {};
};

}  // namespace

std::string_view name_of(Tier tier) { return tier == Tier::kPure ? "pure" : "torch"; }

PluginInfo parse_metadata(std::string_view plugin_toml) {
  toml::table document;
  try {
    document = toml::parse(plugin_toml);
  } catch (const toml::parse_error& error) {
    throw FormatError("metadata in TOML", std::string(error.description()) + " in line " +
                                              std::to_string(error.source().begin.line));
  }
  const Keys keys(document, "");
  PluginInfo info;
  constexpr auto kId =
      "a reverse DNS name of a-z, 0-9, '-', '_' and '.', like \"org.example.name\"";
  info.id = keys.word("id", "-_.", kId);
  if (info.id.find('.') == info.id.npos) keys.fail("id", kId, in_quotes(info.id));
  info.version = keys.text("version", "a version, like \"1.0.2\"");
  info.license = keys.text("license", "an SPDX expression, like \"Apache-2.0\"");
  info.summary = keys.text("summary", "a sentence");
  const std::string tier = keys.text("tier", "\"pure\" or \"torch\"");
  if (tier != "pure" && tier != "torch")
    keys.fail("tier", "\"pure\" or \"torch\"", in_quotes(tier));
  info.tier = tier == "pure" ? Tier::kPure : Tier::kTorch;

  const Keys build(keys.table("build", "the table that attune_add_plugin adds"), "build.");
  parse_abi(build, info);
  info.fingerprint = build.optional_text("fingerprint", "");
  info.compiler = build.optional_text("compiler", "");

  constexpr auto kProvides = "one or more [[provides]] tables";
  const toml::array& provides = keys.array("provides", kProvides);
  for (size_t i = 0; i < provides.size(); ++i) {
    const std::string where = "provides[" + std::to_string(i) + "]";
    if (!provides[i].is_table()) keys.fail(where, "a table", type_of(provides[i]));
    Provided made = parse_provided(*provides[i].as_table(), where + ".", info.summary);
    for (const Provided& other : info.provides) {
      if (other.kind != made.kind || other.name != made.name) continue;
      keys.fail(where, "the only " + made.kind + " of its name",
                "a second " + in_quotes(made.name));
    }
    info.provides.push_back(std::move(made));
  }
  return info;
}

PluginInfo read_plugin(const std::string& file) {
  const OpenFile opened(file);
  if (opened.world_writable()) {
    throw Refused({"P-21", file, "a file that only its owner and group may write",
                   "one that anybody may write",
                   "chmod o-w '" + file + "', once you know that nobody changed it"});
  }
  try {
    return parse_plugin(file, read_note(opened), opened.size());
  } catch (const FormatError& error) {
    throw Refused({"P-02", file, error.expected, error.found,
                   "build the plugin with attune_add_plugin, which embeds plugin.toml"});
  }
}

PluginInfo parse_plugin(const std::string& file, std::string note, uint64_t size) {
  PluginInfo info = parse_metadata(note);
  info.file = file;
  info.size = size;
  info.note = std::move(note);
  return info;
}

}  // namespace attune
