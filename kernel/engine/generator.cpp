// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/generator.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "kernel/engine/random.h"
#include "nn/likelihood.h"

namespace attune {
namespace {

constexpr int64_t kPrefillRows = 2048;  // Rows of prompts that enter in one step.

}  // namespace

Generator::Generator(LoadedModel& loaded, int64_t batch, bool cache)
    : loaded_(loaded), batch_(std::max<int64_t>(1, batch)), use_cache_(cache), end_ids_(loaded.end_ids()) {}

at::Tensor Generator::last_hidden(std::vector<Sequence*>& active) {
  const int64_t axes = loaded_.model->shape().position_axes;
  std::vector<int64_t> ids, positions, last;
  Batch batch;
  for (Sequence* sequence : active) {
    const int64_t begin = int64_t(ids.size());
    const int64_t first = use_cache_ ? sequence->fed : 0;
    const int64_t prompt = int64_t(sequence->prompt.ids.size());
    const int64_t length = prompt + int64_t(sequence->answer.ids.size());
    for (int64_t i = first; i < length; ++i) {
      ids.push_back(i < prompt ? sequence->prompt.ids[size_t(i)] : sequence->answer.ids[size_t(i - prompt)]);
      positions.push_back(i);
    }
    batch.segments.push_back({begin, int64_t(ids.size()), {}, use_cache_ ? sequence->slot : -1});
    last.push_back(int64_t(ids.size()) - 1);
    sequence->fed = length;
  }
  batch.ids_N = at::tensor(ids, at::kLong).to(loaded_.device);
  batch.positions_AN = at::tensor(positions, at::kLong).to(loaded_.device).unsqueeze(0).expand({axes, -1});
  return loaded_.model->hidden(batch, use_cache_ ? cache_.get() : nullptr).index_select(0, at::tensor(last, at::kLong).to(loaded_.device));
}

void Generator::append(Sequence& sequence, const Sampled& token) {
  Completion& answer = sequence.answer;
  answer.ids.push_back(token.id);
  answer.logprobs.push_back(token.logprob);
  const auto finish = [&](int32_t stop) { sequence.finished = true, answer.stop = stop; };
  if (std::find(end_ids_.begin(), end_ids_.end(), token.id) != end_ids_.end()) {
    finish(ATTUNE_STOP_END);
  } else {
    answer.text += loaded_.tokenizer->decode_next(answer.ids, /*skip_special=*/true);
    size_t first = std::string::npos;
    for (const std::string& stop : sequence.prompt.stops) first = std::min(first, answer.text.find(stop));
    if (first != std::string::npos) {
      answer.text.resize(first);
      finish(ATTUNE_STOP_STRING);
      return;
    }
    if (int64_t(answer.ids.size()) >= sequence.prompt.max_tokens) finish(ATTUNE_STOP_LENGTH);
  }
  if (!sequence.finished) return;
  std::vector<int64_t> spoken = answer.ids;
  if (answer.stop == ATTUNE_STOP_END) spoken.pop_back();
  answer.text = loaded_.tokenizer->decode(spoken, /*skip_special=*/true);
}

void Generator::run(std::vector<Prompt> prompts, const std::function<void(const Completion&)>& done) {
  const at::NoGradGuard no_grad;
  const int64_t limit = loaded_.model->shape().max_length;
  int64_t capacity = 0;
  for (const Prompt& prompt : prompts) {
    const int64_t rows = int64_t(prompt.ids.size()) + prompt.max_tokens;
    if (prompt.ids.empty()) throw Error("a prompt without tokens; give it some text");
    if (prompt.max_tokens < 1) throw Error("max_tokens: expected at least 1, found " + std::to_string(prompt.max_tokens));
    if (limit > 0 && rows > limit) {
      throw Error("a prompt of " + std::to_string(prompt.ids.size()) + " tokens and an answer of up to " + std::to_string(prompt.max_tokens) +
                  " exceed the model's " + std::to_string(limit) + " positions; shorten one of them");
    }
    capacity = std::max(capacity, rows);
  }
  const int64_t slots = std::min<int64_t>(batch_, int64_t(prompts.size()));
  if (use_cache_ && slots > 0) cache_ = loaded_.model->cache(slots, capacity);

  std::vector<std::unique_ptr<Sequence>> active(static_cast<size_t>(slots));
  size_t next = 0;
  const auto step = [&](std::vector<Sequence*>& group) {
    const at::Tensor hidden_BD = last_hidden(group);
    const at::Tensor logits_BV = nn::logits(hidden_BD, loaded_.model->head(0)).to(at::kCPU).contiguous();
    const int64_t vocabulary = logits_BV.size(1);
    for (size_t i = 0; i < group.size(); ++i) {
      const Prompt& prompt = group[i]->prompt;
      RandomStream stream(prompt.seed, "sample", prompt.id * 0x100000000u + group[i]->answer.ids.size());
      const std::span<const float> row(logits_BV.data_ptr<float>() + int64_t(i) * vocabulary, size_t(vocabulary));
      append(*group[i], sample(row, prompt.sampling, stream.uniform()));
    }
  };

  for (;;) {
    std::vector<Sequence*> running, entering;
    for (const auto& sequence : active) {
      if (sequence) running.push_back(sequence.get());
    }
    int64_t rows = 0;
    for (size_t slot = 0; slot < active.size() && next < prompts.size() && rows < kPrefillRows; ++slot) {
      if (active[slot]) continue;
      active[slot] = std::make_unique<Sequence>();
      active[slot]->answer.id = prompts[next].id;
      active[slot]->slot = int64_t(slot);
      active[slot]->prompt = std::move(prompts[next++]);
      rows += int64_t(active[slot]->prompt.ids.size());
      entering.push_back(active[slot].get());
    }
    if (running.empty() && entering.empty()) break;
    if (!entering.empty()) step(entering);
    if (!running.empty()) step(running);
    for (auto& sequence : active) {
      if (!sequence || !sequence->finished) continue;
      done(sequence->answer);
      if (use_cache_) cache_->clear(sequence->slot);
      sequence.reset();
    }
  }
}

}  // namespace attune
