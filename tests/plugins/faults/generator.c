/* SPDX-License-Identifier: Apache-2.0 */
/* A generator that says yes, with one fault. */
#include "common.h"

INSTANCE(attune_generator)

static int32_t generate(void *self, const attune_request *const *requests, size_t n, const attune_answer_sink *sink) {
  instance *me = self;
  for (size_t i = 0; i < n; ++i) {
    if (requests[i]->kind != ATTUNE_REQUEST_GENERATE) return refuse(me->host, ATTUNE_E_UNSUPPORTED, "it only generates");
    const double logprob = FAULT == 4 ? 0.5 : -0.5;
    const int64_t id = 3;
    attune_answer made = {.size = ATTUNE_END(attune_answer, n_outputs), .stop = ATTUNE_STOP_END, .id = requests[i]->id, .text = str("yes")};
    made.ids = &id, made.logprobs = &logprob, made.n_ids = 1;
    if (FAULT == 1) made.id = 1;
    if (FAULT == 3) made.stop = 0;
    for (int times = FAULT == 2 ? 2 : 1; times > 0; --times) {
      const int32_t code = sink->emit(sink->context, &made);
      if (code != ATTUNE_OK) return code;
    }
    if (FAULT == 5) break;
  }
  return ATTUNE_OK;
}

static int32_t create(const attune_host *host, const attune_value *options, void **out) {
  (void)options;
  instance *me = calloc(1, sizeof *me);
  me->host = host;
  me->table = (attune_generator){ATTUNE_END(attune_generator, generate), 0, me, destroy, generate};
  *out = &me->table;
  return ATTUNE_OK;
}

PLUGIN("generator/1", create)
