// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/language_model.h"

#include <ATen/ATen.h>

#include <limits>

#include "attune/plugin.h"
#include "kernel/engine/batch.h"
#include "kernel/engine/generator.h"
#include "kernel/engine/reference_scores.h"

namespace attune {
namespace {

constexpr int64_t kScoreRows = 4096;  // Rows of one micro-batch when scoring.

class EngineModel final : public LanguageModel {
 public:
  EngineModel(const ModelRequest& request, HostServices& host) : host_(host), batch_(request.batch), cache_(request.cache) {
    LoadOptions options;
    options.path = request.path;
    options.use = request.use;
    options.options = request.options;
    options.dtype = request.dtype;
    options.device = request.device;
    options.values = -1;
    loaded_ = load_model(options, host);
    table_.size = ATTUNE_END(attune_generator, generate);
    table_.self = this;
    table_.destroy = [](void*) {};
    table_.generate = [](void* self, const attune_request* const* requests, size_t n, const attune_answer_sink* sink) -> int32_t {
      static_cast<EngineModel*>(self)->answer({requests, n}, *sink);  // Same toolchain: exceptions pass.
      return ATTUNE_OK;
    };
  }

  const Tokenizer& tokenizer() const override { return *loaded_.tokenizer; }
  attune_generator& generator() override { return table_; }
  bool judges() const override { return loaded_.value.weight_KD.defined(); }

  std::vector<std::vector<double>> score(std::span<const std::vector<int64_t>> inputs) override {
    refuse_unless(!judges());
    std::vector<Encoded> encoded;
    const int64_t vocabulary = loaded_.model->shape().vocabulary;
    for (const std::vector<int64_t>& ids : inputs) {
      Encoded& made = encoded.emplace_back();
      made.ids = ids;
      made.sequences = 1;
      made.branches = {{0, int64_t(ids.size()), -1}};
      for (int64_t axis = 0; axis < loaded_.model->shape().position_axes; ++axis) {
        for (size_t i = 0; i < ids.size(); ++i) made.positions.push_back(int64_t(i));
      }
      for (size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] < 0 || ids[i] >= vocabulary) {
          throw Error("token id " + std::to_string(ids[i]) + " is outside the vocabulary of " + std::to_string(vocabulary));
        }
        if (i > 0) made.units.push_back({int64_t(i) - 1, ids[i], 0});
      }
    }
    std::vector<std::vector<double>> scores(inputs.size());
    for_each_scored(encoded, [&](size_t i, const std::vector<float>& logprobs) {
      if (!inputs[i].empty()) scores[i].push_back(std::numeric_limits<double>::quiet_NaN());
      scores[i].insert(scores[i].end(), logprobs.begin(), logprobs.end());
    });
    return scores;
  }

 private:
  template <typename Use>
  void for_each_scored(const std::vector<Encoded>& encoded, Use use) {
    for_each_bin(encoded, [&](const std::vector<size_t>& bin, const std::vector<const Encoded*>& part) {
      const std::vector<std::vector<float>> scores = score_units(part, loaded_);
      for (size_t i = 0; i < bin.size(); ++i) use(bin[i], scores[i]);
    });
  }

  template <typename Use>
  void for_each_bin(const std::vector<Encoded>& encoded, Use use) {
    std::vector<const Encoded*> samples;
    for (const Encoded& one : encoded) samples.push_back(&one);
    int64_t done = 0;
    for (const std::vector<size_t>& bin : split_by_rows(samples, kScoreRows)) {
      std::vector<const Encoded*> part;
      for (const size_t i : bin) part.push_back(samples[i]);
      use(bin, part);
      host_.progress("score", done += int64_t(bin.size()), int64_t(encoded.size()));
    }
  }

  void refuse_unless(bool good) const {
    if (good) return;
    throw Error(judges() ? "this model has a value head in the place of a language model's: it judges answers, it cannot write them or say how "
                           "likely they are; an evaluator must ask it for values (preference_accuracy: by = \"reward\")"
                         : "this model has no value head (a tensor score.weight) to judge answers with; train one, for example with `reward`",
                ATTUNE_E_UNSUPPORTED);
  }

  void answer(std::span<const attune_request* const> requests, const attune_answer_sink& sink) {
    std::vector<Prompt> prompts;
    std::vector<const attune_request*> likelihoods, values;
    for (const attune_request* request : requests) {
      if (request->kind == ATTUNE_REQUEST_GENERATE) prompts.push_back(prompt_of(*request));
      else if (request->kind == ATTUNE_REQUEST_LIKELIHOOD) likelihoods.push_back(request);
      else if (request->kind == ATTUNE_REQUEST_VALUES) values.push_back(request);
      else throw Error("a request of unknown kind " + std::to_string(request->kind), ATTUNE_E_UNSUPPORTED);
    }
    refuse_unless(judges() ? prompts.empty() && likelihoods.empty() : values.empty());
    const int64_t total = int64_t(prompts.size());
    int64_t done = 0;
    Generator(loaded_, batch_, cache_).run(std::move(prompts), [&](const Completion& completion) {
      attune_answer made{ATTUNE_END(attune_answer, n_ids), completion.stop, completion.id, str(completion.text),
                         completion.ids.data(), completion.logprobs.data(), completion.ids.size()};
      deliver(sink.emit(sink.context, &made));
      host_.progress("generate", ++done, total);
    });
    if (!likelihoods.empty()) score_likelihoods(likelihoods, sink);
    if (!values.empty()) score_values(values, sink);
  }

  Prompt prompt_of(const attune_request& request) {
    Prompt prompt;
    prompt.id = request.id;
    prompt.seed = request.seed;
    prompt.max_tokens = request.max_tokens;
    prompt.sampling = {request.temperature, request.top_k, request.top_p};
    for (size_t i = 0; i < request.n_stops; ++i) {
      if (request.stops[i].size > 0) prompt.stops.push_back(string(request.stops[i]));
    }
    const std::span<const attune_turn> turns(request.turns, request.n_turns);
    if (request.raw) {
      prompt.ids = loaded_.tokenizer->encode(text_of(turns[0], "a raw prompt"), /*add_special=*/true).ids;
    } else {
      prompt.ids = loaded_.tokenizer->encode(loaded_.tokenizer->render(turns, /*generation_prompt=*/true).text, false).ids;
    }
    return prompt;
  }

  std::vector<Encoded> encode(const std::vector<const attune_request*>& requests, const EncodeOptions& options) {
    std::vector<Encoded> encoded;
    for (const attune_request* request : requests) {
      SampleBuilder sample;
      sample.id("request " + std::to_string(request->id)).prompt_turns(request->n_prompt);
      sample.add_view({request->turns, request->n_turns, std::numeric_limits<double>::quiet_NaN(), {}});
      encoded.push_back(loaded_.model->encode(sample.c(), *loaded_.tokenizer, options));
    }
    return encoded;
  }

  void score_values(const std::vector<const attune_request*>& requests, const attune_answer_sink& sink) {
    const at::NoGradGuard no_grad;
    const int64_t outputs = loaded_.value.weight_KD.size(0);
    EncodeOptions options;
    options.marks = loaded_.value.bias_K.defined() ? EncodeOptions::Marks::kSteps : EncodeOptions::Marks::kLast;
    for_each_bin(encode(requests, options), [&](const std::vector<size_t>& bin, const std::vector<const Encoded*>& part) {
      MicroBatch micro = pack(part, loaded_.model->shape().position_axes, loaded_.device);
      attune::score(*loaded_.model, loaded_.value, nullptr, {.values = outputs}, micro);
      const at::Tensor value_MK = micro.scores.value_MK.to(at::kCPU, at::kDouble).contiguous();
      const double* next = value_MK.data_ptr<double>();
      for (size_t i = 0; i < bin.size(); ++i) {
        attune_answer made{};
        made.size = ATTUNE_END(attune_answer, n_outputs);
        made.id = requests[bin[i]]->id;
        made.values = next;
        made.n_places = part[i]->marks.size();
        made.n_outputs = size_t(outputs);
        next += made.n_places * made.n_outputs;
        deliver(sink.emit(sink.context, &made));
      }
    });
  }

  void score_likelihoods(const std::vector<const attune_request*>& requests, const attune_answer_sink& sink) {
    const std::vector<Encoded> encoded = encode(requests, {});
    for_each_scored(encoded, [&](size_t i, const std::vector<float>& scores) {
      const std::vector<double> logprobs(scores.begin(), scores.end());
      std::vector<int64_t> ids;
      for (const UnitOf& unit : encoded[i].units) ids.push_back(unit.target);
      attune_answer made{ATTUNE_END(attune_answer, n_ids), ATTUNE_STOP_END, requests[i]->id, {}, ids.data(), logprobs.data(), ids.size()};
      deliver(sink.emit(sink.context, &made));
    });
  }

  HostServices& host_;
  int64_t batch_;
  bool cache_;
  LoadedModel loaded_;
  attune_generator table_{};
};

}  // namespace

std::unique_ptr<LanguageModel> open_language_model(const ModelRequest& request, HostServices& host) {
  return std::make_unique<EngineModel>(request, host);
}

}  // namespace attune
