/* SPDX-License-Identifier: Apache-2.0 */
/* A data set in the C of the ABI alone, compiled with each released header. Every record becomes a pair of views that carries a part of
 * every kind of leaf. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attune/abi.h"

typedef struct golden {
  attune_dataset table;
  const attune_host *host;
} golden;

static attune_str golden_str(const char *text) {
  attune_str made;
  made.data = text;
  made.size = strlen(text);
  return made;
}

static const attune_value *golden_member(const attune_value *map, const char *name) {
  size_t i;
  for (i = 0; i < map->n_items; ++i) {
    if (map->keys[i].size == strlen(name) && memcmp(map->keys[i].data, name, map->keys[i].size) == 0) return &map->items[i];
  }
  return NULL;
}

static void golden_destroy(void *self) { free(self); }

static int32_t golden_map(void *self, const attune_value *record, const attune_sample_sink *sink) {
  const golden *me = (const golden *)self;
  const attune_value *question = golden_member(record, "question");
  attune_part parts[2];
  attune_turn turns[2];
  attune_view views[2];
  attune_value label;
  attune_str label_name = golden_str("answer");
  attune_value labels;
  attune_sample sample;
  if (!question || question->type != ATTUNE_STRING) {
    return me->host->fail(me->host, ATTUNE_E_INVALID, golden_str("expected the field question"));
  }
  memset(parts, 0, sizeof parts);
  parts[0].kind = ATTUNE_TEXT;
  parts[0].data.data = question->text.data;
  parts[0].data.size = question->text.size;
  parts[1].kind = ATTUNE_IMAGE;
  parts[1].mime = golden_str("image/png");
  parts[1].uri = golden_str("a.png");
  turns[0].role = golden_str("user");
  turns[0].parts = parts;
  turns[0].n_parts = 2;
  turns[0].weight = 1;
  turns[1].role = golden_str("assistant");
  turns[1].parts = parts;
  turns[1].n_parts = 1;
  turns[1].weight = 0.5;
  views[0].turns = turns;
  views[0].n_turns = 2;
  views[0].rating = NAN;
  views[0].feedback = golden_str("good");
  views[1] = views[0];
  views[1].rating = 2;
  memset(&label, 0, sizeof label);
  label.type = ATTUNE_INT;
  label.integer = 42;
  label.number = 42;
  memset(&labels, 0, sizeof labels);
  labels.type = ATTUNE_MAP;
  labels.items = &label;
  labels.keys = &label_name;
  labels.n_items = 1;
  memset(&sample, 0, sizeof sample);
  sample.size = ATTUNE_END(attune_sample, labels);
  sample.id = golden_str("one");
  sample.views = views;
  sample.n_views = 2;
  sample.n_prompt = 1;
  sample.labels = &labels;
  return sink->emit(sink->context, &sample);
}

static int32_t golden_create(const attune_host *host, const attune_value *options, void **out) {
  const attune_log *log = (const attune_log *)host->service(host, "attune.log/1");
  golden *made = (golden *)calloc(1, sizeof(golden));
  (void)options;
  if (!made) return ATTUNE_E_NOMEM;
  if (ATTUNE_HAS(log, attune_log, write)) log->write(log, ATTUNE_LOG_INFO, golden_str("created"));
  made->host = host;
  made->table.size = ATTUNE_END(attune_dataset, map);
  made->table.self = made;
  made->table.destroy = golden_destroy;
  made->table.map = golden_map;
  *out = &made->table;
  return ATTUNE_OK;
}

ATTUNE_EXPORT const attune_entry *attune_plugin_v1(void) {
  static const attune_factory factory = {ATTUNE_END(attune_factory, create), 0, "dataset/1", PLUGIN_NAME, golden_create};
  static const attune_factory *const factories[] = {&factory, NULL};
  static const attune_entry entry = {ATTUNE_END(attune_entry, factories), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR, PLUGIN_ID, "", NULL, NULL, factories};
  return &entry;
}
