// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/samples.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "kernel/host/run/checkpoint_folder.h"
#include "kernel/host/services/digest.h"
#include "kernel/host/services/files.h"
#include "kernel/host/services/row_runs.h"

namespace attune {
namespace {

constexpr int64_t kRowsPerRead = 256;
constexpr size_t kNamedRows = 5;
constexpr int64_t kManyRows = 50'000;

bool same_turn(const attune_turn& a, const attune_turn& b) {
  if (view(a.role) != view(b.role) || a.n_parts != b.n_parts) return false;
  for (size_t p = 0; p < a.n_parts; ++p) {
    const attune_part &x = a.parts[p], &y = b.parts[p];
    const auto bytes = [](attune_blob blob) {
      return std::string_view(static_cast<const char*>(blob.data), blob.size);
    };
    if (x.kind != y.kind || view(x.uri) != view(y.uri) || bytes(x.data) != bytes(y.data))
      return false;
  }
  return true;
}

/// What is wrong with a sample's shape, or "".
std::string fault_of(const attune_sample& sample) {
  if (sample.n_views == 0) return "the dataset gave a sample without a conversation";
  for (size_t v = 0; v < sample.n_views; ++v) {
    const attune_view& view = sample.views[v];
    if (view.n_turns == 0) return "the dataset gave a conversation without turns";
    if (sample.n_prompt > view.n_turns) return "the prompt is longer than the conversation";
    for (size_t t = 0; t < sample.n_prompt; ++t) {
      if (!same_turn(sample.views[0].turns[t], view.turns[t])) {
        return "the conversations of a sample do not share their prompt (turn " +
               std::to_string(t + 1) + ")";
      }
    }
  }
  return "";
}

/// Rows of all files, through their readers and the dataset.
class Mapper {
 public:
  explicit Mapper(SamplePlugins& plugins) : plugins_(plugins) {
    int64_t total = 0;
    for (const OpenFile& file : plugins.files) {
      int64_t count = 0;
      file.failure.check(file.reader->count(file.reader->self, &count), "counting rows",
                         Exit::kData);
      ends_.push_back(total += count);
    }
  }

  int64_t rows() const { return ends_.back(); }

  std::string describe(int64_t row) const {
    const size_t file = file_of(row);
    return std::filesystem::path(plugins_.files[file].path).filename().string() + " row " +
           std::to_string(row - first_of(file) + 1);
  }

  /// Calls `use(row, samples, why)` for each row; `why` is empty unless the row does not map.
  template <typename Use>
  void each(int64_t first, int64_t n, Use use) const {
    while (n > 0) {
      const size_t file = file_of(first);
      const int64_t here = std::min(n, ends_[file] - first);
      each_of_file(file, first, here, use);
      first += here;
      n -= here;
    }
  }

 private:
  size_t file_of(int64_t row) const {
    return static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), row) - ends_.begin());
  }
  int64_t first_of(size_t file) const { return file == 0 ? 0 : ends_[file - 1]; }

  template <typename Use>
  void each_of_file(size_t file, int64_t first, int64_t n, Use use) const {
    const OpenFile& open = plugins_.files[file];
    const int64_t end = first + n;
    int64_t row = first;
    const auto take = [&](const attune_value* record) {
      std::vector<SampleBuilder> samples;
      std::string why = map(*record, samples);
      if (!why.empty()) samples.clear();
      use(row++, samples, why);
    };
    const auto rest = [&](const attune_value_sink* sink) {
      return open.reader->read(open.reader->self, row - first_of(file), end - row, sink);
    };
    for (int32_t code; (code = collect<ValueSinkOf>(take, rest)) != ATTUNE_OK;) {
      if (code != ATTUNE_E_INVALID || row >= end)
        open.failure.check(code, describe(std::min(row, ends_[file] - 1)), Exit::kData);
      // Rows come in order: it is the next one that cannot be read. Those behind it can.
      std::vector<SampleBuilder> none;
      use(row++, none, open.failure.why(code));
      if (row == end) break;
    }
    if (row != first + n) {
      throw ExitError(Exit::kData, open.path + ": " + open.failure.who() + " gave " +
                                       std::to_string(row - first) + " of " + std::to_string(n) +
                                       " rows from row " +
                                       std::to_string(first - first_of(file) + 1) +
                                       "; has the file changed?");
    }
  }

  std::string map(const attune_value& record, std::vector<SampleBuilder>& samples) const {
    std::string fault;
    const auto take = [&](const attune_sample* sample) {
      if (fault.empty()) fault = fault_of(*sample);
      if (fault.empty()) samples.push_back(SampleBuilder::copy(*sample));
    };
    const int32_t code = collect<SampleSinkOf>(take, [&](const attune_sample_sink* sink) {
      return plugins_.dataset->map(plugins_.dataset->self, &record, sink);
    });
    if (code == ATTUNE_E_INVALID || code == ATTUNE_E_UNSUPPORTED)
      return plugins_.dataset_failure.why(code);
    plugins_.dataset_failure.check(code, "mapping a row");
    return fault;
  }

  SamplePlugins& plugins_;
  std::vector<int64_t> ends_;  ///< per file: rows up to and with it
};

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g %%", share * 100);
  return text;
}

std::string complaint(const SampleOptions& options, const std::string& dataset,
                      const std::vector<DroppedRow>& dropped, int64_t rows) {
  std::string text = options.path + ": " + std::to_string(dropped.size()) + " of " +
                     std::to_string(rows) + " rows do not map with " + dataset +
                     " (allowed: " + percent(options.max_dropped) + ")";
  for (size_t i = 0; i < std::min(dropped.size(), kNamedRows); ++i) {
    text += "\n  " + dropped[i].row + ": " + dropped[i].why;
  }
  if (dropped.size() > kNamedRows) {
    text += "\n  and " + std::to_string(dropped.size() - kNamedRows) + " more";
  }
  char share[32];
  std::snprintf(share, sizeof share, "%.3g",
                std::min(1.0, double(dropped.size()) / double(rows) * 1.05 + 0.0005));
  return text +
         "\n  Mend the rows or the dataset's options, or allow the loss: max_dropped = " + share;
}

/// What a source with or without a look at every row has in common.
class RowSamples : public SampleSource {
 public:
  RowSamples(SamplePlugins plugins, SampleOptions options)
      : plugins_(std::move(plugins)), options_(std::move(options)), mapper_(plugins_) {
    rows_ = options_.limit > 0 ? std::min(options_.limit, mapper_.rows()) : mapper_.rows();
  }

 protected:
  void refuse_if_empty() const {
    if (size() > 0) return;
    throw ExitError(Exit::kData, options_.path + ": has no samples: " + std::to_string(rows_) +
                                     " rows were read with " + plugins_.dataset_failure.who());
  }
  /// A file's digest, or what was kept of it.
  std::string known_digest(const std::string& file) const {
    return options_.index.empty() ? sha256_file(file) : sha256_known(file, options_.index / "digests.json");
  }
  std::string digest_of(const std::function<std::string(const std::string& file)>& of_file) const {
    Sha256 digest;
    for (const OpenFile& file : plugins_.files) digest.add(of_file(file.path));
    return digest.add_sized(options_.mapping).add_sized(std::to_string(options_.limit)).hex();
  }

  SamplePlugins plugins_;
  SampleOptions options_;
  Mapper mapper_;
  int64_t rows_ = 0;
};

class MappedSamples final : public RowSamples {
 public:
  MappedSamples(SamplePlugins plugins, SampleOptions options,
                const std::function<void(const std::vector<DroppedRow>&)>& dropped)
      : RowSamples(std::move(plugins), std::move(options)) {
    const std::vector<DroppedRow> lost = samples_known();
    if (double(lost.size()) > options_.max_dropped * double(rows_)) {
      throw ExitError(Exit::kData,
                      complaint(options_, plugins_.dataset_failure.who(), lost, rows_));
    }
    refuse_if_empty();
    if (!lost.empty()) dropped(lost);
  }

  int64_t size() const override { return counts_.samples(); }

  SampleBuilder at(int64_t index) override {
    const auto [row, within, of] = counts_.place(index);
    if (row != cached_row_) {
      mapper_.each(
          row, 1, [&](int64_t, std::vector<SampleBuilder>& samples, const std::string& why) {
            if (!why.empty()) {
              throw ExitError(Exit::kData, describe(index) + ": " + why +
                                               " (it mapped before: the file has changed)");
            }
            cached_ = std::move(samples);
          });
      cached_row_ = row;
    }
    if (size_t(within) >= cached_.size()) {
      throw ExitError(Exit::kData,
                      describe(index) + ": gives fewer samples than before; the file has changed");
    }
    const attune_sample sample = cached_[size_t(within)].c();
    SampleBuilder made = SampleBuilder::copy(sample);
    if (sample.id.size == 0)
      made.id(std::to_string(row + 1) + (of > 1 ? "." + std::to_string(within + 1) : ""));
    return made;
  }

  std::string digest() const override {
    return digest_of([this](const std::string& file) { return known_digest(file); });
  }
  std::string describe(int64_t index) const override {
    return mapper_.describe(counts_.place(index).row);
  }

 private:
  /// Of many rows what was found is kept: the next start of the run maps none of them.
  std::vector<DroppedRow> samples_known() {
    if (options_.index.empty() || rows_ < kManyRows) return count_samples();
    const std::string key = digest();
    const std::filesystem::path file = options_.index / (key.substr(0, 16) + ".samples.json");
    std::vector<DroppedRow> lost;
    if (std::filesystem::exists(file)) {
      const Json known = unsealed(read_text(file));
      if (known.is_object() && known.value("key", "") == key) {
        counts_ = RowRuns::from(known.at("counts"));
        for (const Json& row : known.at("lost")) lost.push_back({row.at(0), row.at(1)});
        return lost;
      }
    }
    lost = count_samples();
    Json rows = Json::array();
    for (const DroppedRow& row : lost) rows.push_back({row.row, row.why});
    std::filesystem::create_directories(options_.index);
    write_atomically(file, sealed({{"key", key}, {"counts", counts_.json()}, {"lost", rows}}));
    return lost;
  }

  std::vector<DroppedRow> count_samples() {
    std::vector<DroppedRow> lost;
    for (int64_t first = 0; first < rows_; first += kRowsPerRead) {
      mapper_.each(
          first, std::min(kRowsPerRead, rows_ - first),
          [&](int64_t row, const std::vector<SampleBuilder>& samples, const std::string& why) {
            if (!why.empty()) lost.push_back({mapper_.describe(row), why});
            counts_.add(static_cast<int64_t>(samples.size()));
          });
    }
    return lost;
  }

  RowRuns counts_;
  int64_t cached_row_ = -1;
  std::vector<SampleBuilder> cached_;
};

class StreamedSamples final : public RowSamples {
 public:
  StreamedSamples(SamplePlugins plugins, SampleOptions options)
      : RowSamples(std::move(plugins), std::move(options)) {
    refuse_if_empty();
  }

  int64_t size() const override { return rows_; }

  SampleBuilder at(int64_t index) override {
    SampleBuilder made;
    mapper_.each(
        index, 1, [&](int64_t, std::vector<SampleBuilder>& samples, const std::string& why) {
          if (!why.empty()) throw Error(why);
          if (samples.size() != 1) {
            throw Error("gives " + std::to_string(samples.size()) +
                        " samples, and in a stream each row must give one; take out stream = true");
          }
          made = std::move(samples[0]);
        });
    if (made.c().id.size == 0) made.id(std::to_string(index + 1));
    return made;
  }

  /// Reading everything is what a stream is to avoid: names, sizes and times of change instead.
  std::string digest() const override {
    return digest_of([](const std::string& file) {
      const auto changed = std::filesystem::last_write_time(file).time_since_epoch().count();
      return file + " " + std::to_string(std::filesystem::file_size(file)) + " " +
             std::to_string(changed);
    });
  }
  std::string describe(int64_t index) const override { return mapper_.describe(index); }
};

}  // namespace

std::unique_ptr<SampleSource> open_samples(
    SamplePlugins plugins, SampleOptions options,
    const std::function<void(const std::vector<DroppedRow>&)>& dropped) {
  if (options.stream) {
    return std::make_unique<StreamedSamples>(std::move(plugins), std::move(options));
  }
  return std::make_unique<MappedSamples>(std::move(plugins), std::move(options), dropped);
}

FirstRows map_first_rows(SamplePlugins& plugins, int64_t rows) {
  const Mapper mapper(plugins);
  FirstRows found;
  found.rows = std::min(rows, mapper.rows());
  if (found.rows == 0) return found;
  mapper.each(0, found.rows,
              [&](int64_t row, const std::vector<SampleBuilder>& samples, const std::string& why) {
                if (!why.empty()) found.dropped.push_back({mapper.describe(row), why});
                found.samples += static_cast<int64_t>(samples.size());
              });
  return found;
}

}  // namespace attune
