/* SPDX-License-Identifier: Apache-2.0 */
/* An evaluator of one answer with one fault. */
#include "common.h"

INSTANCE(attune_evaluator)

static int32_t request(void *self, const attune_sample *sample, const attune_request_sink *sink) {
  instance *me = self;
  if (sample->n_views == 0 || sample->n_prompt == 0) return refuse(me->host, ATTUNE_E_INVALID, "expected a prompt, found none");
  attune_request made = {.size = ATTUNE_END(attune_request, reserved), .kind = ATTUNE_REQUEST_GENERATE, .top_p = 1.0, .max_tokens = 8};
  made.turns = sample->views[0].turns;
  made.n_turns = sample->n_prompt;
#if FAULT == 1
  made.max_tokens = 0;
#elif FAULT == 2
  made.kind = ATTUNE_REQUEST_LIKELIHOOD;
#elif FAULT == 3
  made.top_p = 7;
#endif
  return sink->emit(sink->context, &made);
}

static int32_t score(void *self, const attune_sample *sample, const attune_answer *const *answers, size_t n, const attune_value_sink *sink) {
  instance *me = self;
  const attune_value *expected = member(sample->labels, "answer");
#if FAULT == 4
  if (sample->labels->type != ATTUNE_MAP) return ATTUNE_E_INTERNAL;
#elif FAULT == 5
  if (answers[0]->size == 0) return ATTUNE_E_INTERNAL;
#endif
  if (!expected || expected->type != ATTUNE_STRING || n != 1) return refuse(me->host, ATTUNE_E_INVALID, "`answer`: expected a string, and one answer");
  attune_str key = str("accuracy");
  attune_value right = {.type = ATTUNE_FLOAT, .number = answers[0]->text.size == expected->text.size};
#if FAULT == 6
  right.number = strtod("nan", NULL);
#elif FAULT == 7
  if (expected->text.size > 1) key = str("other");
#elif FAULT == 8
  right.type = 55;
#endif
  attune_value metrics = {.type = ATTUNE_MAP, .items = &right, .keys = &key, .n_items = 1};
  return sink->emit(sink->context, &metrics);
}

static int32_t create(const attune_host *host, const attune_value *options, void **out) {
  (void)options;
  instance *me = calloc(1, sizeof *me);
  me->host = host;
  me->table = (attune_evaluator){ATTUNE_END(attune_evaluator, score), 0, me, destroy, request, score};
  *out = &me->table;
  return ATTUNE_OK;
}

PLUGIN("evaluator/1", create)
