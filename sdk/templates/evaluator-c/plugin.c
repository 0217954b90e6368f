/* SPDX-License-Identifier: Apache-2.0 */
/* accuracy is 1 where the answer contains the label `answer`. */
#include <stdlib.h>
#include <string.h>

#include "attune/abi.h"

typedef struct @name@ {
  attune_evaluator table;
  const attune_host *host;
  int64_t max_tokens;
} @name@;

static attune_str str(const char *text) { return (attune_str){text, strlen(text)}; }

static const attune_value *member(const attune_value *map, const char *name) {
  for (size_t i = 0; map && map->type == ATTUNE_MAP && i < map->n_items; ++i) {
    if (map->keys[i].size == strlen(name) && memcmp(map->keys[i].data, name, map->keys[i].size) == 0)
      return &map->items[i];
  }
  return NULL;
}

static int contains(attune_str text, attune_str part) {
  for (size_t at = 0; at + part.size <= text.size; ++at) {
    if (part.size == 0 || memcmp(text.data + at, part.data, part.size) == 0) return 1;
  }
  return 0;
}

static int32_t request(void *self, const attune_sample *sample, const attune_request_sink *sink) {
  const @name@ *me = self;
  if (sample->n_views == 0 || sample->n_prompt == 0)
    return me->host->fail(me->host, ATTUNE_E_INVALID, str("expected a sample with a prompt, found none"));
  attune_request made = {.size = ATTUNE_END(attune_request, reserved), .kind = ATTUNE_REQUEST_GENERATE, .top_p = 1.0};
  made.turns = sample->views[0].turns;
  made.n_turns = sample->n_prompt;
  made.max_tokens = me->max_tokens;
  return sink->emit(sink->context, &made);
}

static int32_t score(void *self, const attune_sample *sample, const attune_answer *const *answers, size_t n,
                     const attune_value_sink *sink) {
  const @name@ *me = self;
  const attune_value *expected = member(sample->labels, "answer");
  if (!expected || expected->type != ATTUNE_STRING)
    return me->host->fail(me->host, ATTUNE_E_INVALID, str("`answer`: expected a string, found nothing"));
  if (n != 1) return me->host->fail(me->host, ATTUNE_E_INVALID, str("expected 1 answer"));
  const attune_str key = str("accuracy");
  attune_value right = {.type = ATTUNE_FLOAT, .number = contains(answers[0]->text, expected->text)};
  attune_value metrics = {.type = ATTUNE_MAP, .items = &right, .keys = &key, .n_items = 1};
  return sink->emit(sink->context, &metrics);
}

static void destroy(void *self) { free(self); }

static int32_t create(const attune_host *host, const attune_value *options, void **out) {
  const attune_value *max_tokens = member(options, "max_tokens");
  if (!max_tokens || max_tokens->type != ATTUNE_INT)
    return host->fail(host, ATTUNE_E_INVALID, str("`max_tokens`: expected an integer"));
  @name@ *made = calloc(1, sizeof *made);
  if (!made) return host->fail(host, ATTUNE_E_NOMEM, str("out of memory"));
  made->host = host;
  made->max_tokens = max_tokens->integer;
  made->table = (attune_evaluator){ATTUNE_END(attune_evaluator, score), 0, made, destroy, request, score};
  *out = &made->table;
  return ATTUNE_OK;
}

const attune_entry *attune_plugin_v1(void) {
  static const attune_factory factory = {ATTUNE_END(attune_factory, create), 0, "evaluator/1", "@name@", create};
  static const attune_factory *const factories[] = {&factory, NULL};
  static const attune_entry entry = {ATTUNE_END(attune_entry, factories), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR,
                                     ATTUNE_PLUGIN_ID, ATTUNE_PLUGIN_FINGERPRINT, NULL, NULL, factories};
  return &entry;
}
