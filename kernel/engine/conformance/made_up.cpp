// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/conformance/made_up.h"

#include <ATen/ATen.h>

#include <limits>

#include "attune/sample.h"
#include "kernel/engine/random.h"

namespace attune::conformance {

std::vector<Encoded> random_samples(const ModelShape& shape, int64_t answers, size_t n, uint64_t seed, bool shared) {
  std::vector<Encoded> samples;
  for (size_t s = 0; s < n; ++s) {
    RandomStream random(seed, "law", s);
    const auto upto = [&](int64_t limit) { return int64_t(random.uniform() * double(limit)); };
    const int64_t prompt = 1 + upto(9);
    std::vector<std::vector<int64_t>> tokens(size_t(answers) + 1);
    for (int64_t i = 0; i < prompt; ++i) tokens[0].push_back(upto(shape.vocabulary));
    for (int64_t a = 1; a <= answers; ++a) {
      for (int64_t i = 1 + upto(7); i > 0; --i) tokens[size_t(a)].push_back(upto(shape.vocabulary));
    }
    Encoded made;
    made.sequences = answers;
    const auto append = [&](const std::vector<int64_t>& ids, int64_t position) {
      for (const int64_t id : ids) made.ids.push_back(id), made.positions.push_back(position++);
    };
    if (shared) {
      append(tokens[0], 0);
      made.branches.push_back({0, prompt, -1});
    }
    for (int64_t a = 0; a < answers; ++a) {
      const int64_t begin = int64_t(made.ids.size());
      if (!shared) append(tokens[0], 0);
      int64_t row = shared ? prompt - 1 : begin + prompt - 1;
      append(tokens[size_t(a) + 1], prompt);
      int64_t next = begin + (shared ? 0 : prompt);
      for (const int64_t id : tokens[size_t(a) + 1]) {
        made.units.push_back({row, id, a, 0.5f + float(upto(4)) / 4});
        row = next++;
      }
      made.branches.push_back({begin, int64_t(made.ids.size()), shared ? 0 : -1});
    }
    const std::vector<int64_t> one_axis = made.positions;
    for (int64_t axis = 1; axis < shape.position_axes; ++axis)
      made.positions.insert(made.positions.end(), one_axis.begin(), one_axis.end());
    samples.push_back(std::move(made));
  }
  return samples;
}

AnswerLabels made_up_labels(size_t sample, size_t answer, size_t answers) {
  return {.rating = float(answers - answer),
          .desirable = float((sample + answer) % 2 == 0),
          .ratio = 0.5f + float(sample),
          .safe = float((sample + answer) % 3 == 0),
          .kind = int64_t(sample % 2),
          .steps = {float(int64_t(sample % 3) - 1), 1, -1}};
}

void add_marks(Encoded& sample, size_t answers, bool steps) {
  for (size_t a = 0; a < answers; ++a) {
    std::vector<int64_t> rows;  // Where units are predicted; the last one's own row is behind it.
    for (const UnitOf& unit : sample.units) {
      if (unit.sequence == int64_t(a)) rows.push_back(unit.row);
    }
    const bool two = steps && rows.size() > 1;
    if (two) sample.marks.push_back({rows[1], int64_t(a), 0});
    sample.marks.push_back({rows.size() > 1 ? rows.back() + 1 : rows.back(), int64_t(a), two ? 1 : 0});
  }
}

MicroBatch prepared(int64_t position_axes, std::span<const Encoded* const> samples) {
  MicroBatch micro = pack(samples, position_axes, at::kCPU);
  micro.scores.reference_U = -2.0 - (micro.target_U % 7).to(at::kFloat) * 0.3;
  std::vector<float> mismatched;
  for (const Encoded* sample : samples) mismatched.push_back(sample->units.empty() ? -1 : -float(sample->units.front().target % 11));
  micro.scores.mismatched_S = at::tensor(mismatched);
  micro.scores.mismatched_reference_S = micro.scores.mismatched_S - 1.5;
  return micro;
}

std::vector<const Encoded*> pointers(const std::vector<Encoded>& samples) {
  std::vector<const Encoded*> found;
  for (const Encoded& sample : samples) found.push_back(&sample);
  return found;
}

void fill(const std::vector<Parameter>& parameters, uint64_t seed) {
  const at::NoGradGuard no_grad;
  for (const Parameter& parameter : parameters) {
    RandomStream stream(seed, parameter.name, 0);
    std::vector<float> values(size_t(parameter.tensor.numel()));
    const double centre = parameter.tensor.dim() < 2 ? parameter.start : 0.0;
    for (float& value : values) value = float(centre + 0.2 * stream.normal());
    parameter.tensor.copy_(at::tensor(values).view(parameter.tensor.sizes()));
  }
}

double relative_gap(const at::Tensor& found, const at::Tensor& expected) {
  const auto largest = [](const at::Tensor& of) { return of.numel() > 0 ? of.abs().max().to(at::kDouble).item<double>() : 0.0; };
  if (!at::isfinite(found).all().item<bool>() || !at::isfinite(expected).all().item<bool>()) return std::numeric_limits<double>::infinity();
  const double scale = largest(expected);
  if (scale == 0) return largest(found);
  return largest(found.to(at::kDouble) - expected.to(at::kDouble)) / scale;
}

int64_t ByteTokenizer::token(std::string_view name) const {
  if (name == "bos") return vocabulary_ - 2;
  return name == "eos" ? vocabulary_ - 1 : -1;
}

Encoding ByteTokenizer::encode(std::string_view text, bool add_special) const {
  Encoding made;
  if (add_special) made.ids.push_back(token("bos")), made.offsets.push_back({0, 0});
  for (size_t i = 0; i < text.size(); ++i) {
    made.ids.push_back(uint8_t(text[i]) % (vocabulary_ - 2));
    made.offsets.push_back({i, i + 1});
  }
  return made;
}

std::string ByteTokenizer::decode(std::span<const int64_t> ids, bool) const {
  std::string made;
  for (const int64_t id : ids) made += char('!' + id % 90);
  return made;
}

std::string ByteTokenizer::decode_next(std::span<const int64_t> ids, bool skip_special) const {
  return ids.empty() ? "" : decode(ids.last(1), skip_special);
}

Rendering ByteTokenizer::render(std::span<const attune_turn> turns, bool generation_prompt) const {
  Rendering made;
  for (size_t t = 0; t < turns.size(); ++t) {
    made.text += string(turns[t].role) + ": ";
    const size_t begin = made.text.size();
    made.text += text_of(turns[t], "a tokenizer of bytes");
    made.spans.push_back({begin, made.text.size(), t});
    made.text += '\n';
  }
  if (generation_prompt) made.text += "assistant: ";
  return made;
}

}  // namespace attune::conformance
