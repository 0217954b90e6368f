// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <map>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/manifest/nearest.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLanguages[] = {"c++", "c", "rust"};

struct Template {
  std::string kind, language;
  fs::path folder;
};

/// Folders "KIND-LANGUAGE" beside the program's own, C++ first.
std::vector<Template> templates(const fs::path& folder) {
  std::vector<Template> found;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing)) {
    const std::string name = entry.path().filename().string();
    const size_t dash = name.find('-');
    if (dash != name.npos) found.push_back({name.substr(0, dash), name.substr(dash + 1), entry.path()});
  }
  if (found.empty()) {
    throw ExitError(Exit::kUsage, folder.string() + ": expected the SDK's templates, found none; install the component `sdk`");
  }
  const auto order = [](const Template& one) {
    return std::pair(one.kind, std::find(std::begin(kLanguages), std::end(kLanguages), one.language));
  };
  std::sort(found.begin(), found.end(), [&](const Template& a, const Template& b) { return order(a) < order(b); });
  return found;
}

Template choose(const std::vector<Template>& all, std::string kind, const std::string& language) {
  if (kind.ends_with("/1")) kind.resize(kind.size() - 2);
  std::vector<std::string> kinds, languages;
  for (const Template& one : all) {
    if (kinds.empty() || kinds.back() != one.kind) kinds.push_back(one.kind);
    if (one.kind == kind) languages.push_back(one.language);
    if (one.kind == kind && (language.empty() || one.language == language)) return one;
  }
  if (!languages.empty()) {
    throw ExitError(Exit::kUsage, "--language: expected " + join(languages, " or ") + " for a " + kind + ", found \"" + language + "\"");
  }
  const std::string near = nearest(kind, kinds);
  throw ExitError(Exit::kUsage, "KIND: expected one of " + join(kinds) + ", found \"" + kind + "\"" +
                                    (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
}

/// "my_data" -> "MyData".
std::string type_name(const std::string& name) {
  std::string made;
  bool upper = true;
  for (const char c : name) {
    if (c != '_') made += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = c == '_';
  }
  return made;
}

void check_name(const std::string& name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  if (name[0] >= 'a' && name[0] <= 'z' && std::all_of(name.begin(), name.end(), fits)) return;
  throw ExitError(Exit::kUsage, "NAME: expected a letter and then letters, digits and '_', all lower case, found \"" + name + "\"");
}

std::string filled(std::string text, const std::map<std::string, std::string>& values) {
  for (const auto& [mark, value] : values) {
    for (size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + value.size())) text.replace(at, mark.size(), value);
  }
  return text;
}

/// Copies the template's files; plugin.c and plugin.cpp take the plugin's name.
void write(const Template& from, const fs::path& to, const std::map<std::string, std::string>& values) {
  for (const auto& entry : fs::recursive_directory_iterator(from.folder)) {
    if (!entry.is_regular_file()) continue;
    fs::path file = to / fs::relative(entry.path(), from.folder);
    if (file.stem() == "plugin" && file.extension() != ".toml") file.replace_filename(values.at("@name@") + file.extension().string());
    fs::create_directories(file.parent_path());
    write_atomically(file, filled(read_text(entry.path()), values));
  }
  if (from.language == "rust") fs::copy_file(from.folder.parent_path() / "rust" / "attune.rs", to / "src" / "attune.rs");
}

int create(const Arguments& arguments, Context& context) {
  const std::string name = *arguments.text("NAME");
  check_name(name);
  const fs::path prefix = fs::path(context.surroundings.executable).parent_path().parent_path();
  const Template from =
      choose(templates(prefix / "share" / "attune" / "templates"), *arguments.text("KIND"), arguments.text("language", ""));
  const fs::path to = fs::path(arguments.text("in", ".")) / name;
  if (fs::exists(to)) throw ExitError(Exit::kUsage, to.string() + ": expected a new folder, found one that is there; choose another NAME");
  write(from, to, {{"@name@", name}, {"@Name@", type_name(name)}, {"@id@", arguments.text("id", "org.example." + name)}});
  context.console.out << to.string() << ": a " << from.kind << " in " << from.language << ". Build and test it:\n\n"
                      << "  cmake -S " << to.string() << " -B " << (to / "build").string() << " -DCMAKE_PREFIX_PATH=" << prefix.string()
                      << "\n"
                      << "  cmake --build " << (to / "build").string() << "\n"
                      << "  ctest --test-dir " << (to / "build").string() << "\n";
  return 0;
}

}  // namespace

Command plugins_new_command() {
  return {{"plugins new",
           "Write the folder of a new plugin, which builds and passes its test as it stands",
           "attune plugins new dataset my_data",
           {{"KIND", "algorithm, dataset, evaluator, generator, model, reader, tokenizer, tracker or weights"},
            {"NAME", "Of the folder, the file and what it provides"}},
           {{"language,l", "LANGUAGE", "c++ (default), c or rust"},
            {"id", "ID", "Reverse DNS name of the plugin; default org.example.NAME"},
            {"in", "DIR", "Where the folder goes; default: here"}}},
          &create};
}

}  // namespace attune
