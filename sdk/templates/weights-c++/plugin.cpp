// SPDX-License-Identifier: Apache-2.0
// For each tensor a line `name dtype sizes...`, then its bytes.
#include "attune/weights.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

namespace {

using namespace attune;

struct Stored {
  int32_t dtype = 0;
  std::vector<int64_t> shape;
  std::string data;
};

class @Name@ {
 public:
  explicit @Name@(Value options) : path_(options["path"].text()) {
    if (path_.empty()) return;
    std::ifstream file(path_, std::ios::binary);
    if (!file) throw Error(path_ + ": cannot be read", ATTUNE_E_IO);
    left_ = static_cast<int64_t>(std::filesystem::file_size(path_));
    for (std::string line; std::getline(file, line);) read_tensor(line, file);
  }

  void list(const TensorSink& emit) const {
    for (const std::string& name : order_) emit(describe(name, {nullptr, 0}));
  }
  void read(std::string_view name, const TensorSink& emit) const {
    const auto found = tensors_.find(std::string(name));
    if (found == tensors_.end()) throw Error(path_ + ": has no tensor \"" + std::string(name) + "\"", ATTUNE_E_NOT_FOUND);
    emit(describe(found->first, {found->second.data.data(), found->second.data.size()}));
  }
  std::optional<std::string> document(std::string_view) const { return std::nullopt; }

  void write(const std::string& path, const attune_tensor* tensors, size_t n, Value) const {
    std::ostringstream made;
    for (size_t i = 0; i < n; ++i) {
      made << view(tensors[i].name) << ' ' << tensors[i].dtype;
      for (int32_t d = 0; d < tensors[i].n_dims; ++d) made << ' ' << tensors[i].shape[d];
      made << '\n' << std::string_view(static_cast<const char*>(tensors[i].data.data), tensors[i].data.size);
    }
    const std::string bytes = made.str();
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t done = 0;
    while (file >= 0 && done < bytes.size()) {
      const ssize_t wrote = ::write(file, bytes.data() + done, bytes.size() - done);
      if (wrote <= 0) break;
      done += static_cast<size_t>(wrote);
    }
    const bool whole = file >= 0 && done == bytes.size() && ::fsync(file) == 0;
    if (file >= 0) ::close(file);
    if (!whole) throw Error(path + ": cannot be written", ATTUNE_E_IO);
  }

 private:
  void read_tensor(const std::string& line, std::istream& file) {
    std::istringstream words(line);
    std::string name;
    Stored tensor;
    words >> name >> tensor.dtype;
    int64_t bytes = static_cast<int64_t>(dtype_size(tensor.dtype));
    if (bytes == 0) throw Error(path_ + ": expected `name dtype sizes...`, found \"" + line.substr(0, 80) + "\"");
    left_ -= static_cast<int64_t>(line.size()) + 1;
    for (int64_t size = 0; words >> size;) {
      tensor.shape.push_back(size);
      if (size < 0 || (size > 0 && bytes > left_ / size)) throw Error(path_ + ": `" + name + "`: is longer than the file");
      bytes *= size;
    }
    left_ -= bytes;
    tensor.data.resize(static_cast<size_t>(bytes));
    if (!file.read(tensor.data.data(), bytes)) throw Error(path_ + ": `" + name + "`: is cut short");
    order_.push_back(name);
    tensors_[name] = std::move(tensor);
  }
  attune_tensor describe(const std::string& name, attune_blob data) const {
    const Stored& tensor = tensors_.at(name);
    return {str(name), tensor.dtype, static_cast<int32_t>(tensor.shape.size()), tensor.shape.data(), data};
  }

  std::string path_;
  int64_t left_ = 0;  // bytes of the file that are not read yet
  std::vector<std::string> order_;
  std::map<std::string, Stored> tensors_;
};

ATTUNE_WEIGHTS(@name@, "@name@", @Name@);

}  // namespace

ATTUNE_PLUGIN(&@name@)
