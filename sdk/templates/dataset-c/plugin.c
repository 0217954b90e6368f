/* SPDX-License-Identifier: Apache-2.0 */
/* A row is {"question": "2+2?", "answer": "4"}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attune/abi.h"

typedef struct @name@ {
  attune_dataset table;
  const attune_host *host;
  char question[64], answer[64]; /* names of fields */
} @name@;

static attune_str str(const char *text) { return (attune_str){text, strlen(text)}; }

static const attune_value *member(const attune_value *map, const char *name) {
  for (size_t i = 0; map->type == ATTUNE_MAP && i < map->n_items; ++i) {
    if (map->keys[i].size == strlen(name) && memcmp(map->keys[i].data, name, map->keys[i].size) == 0)
      return &map->items[i];
  }
  return NULL;
}

/* The text of a field. On failure the host has been told. */
static int32_t text_of(const @name@ *me, const attune_value *row, const char *field, attune_str *text) {
  static const char *const names[] = {"nothing", "a bool", "an integer", "a number", "a string", "bytes", "a list", "a map"};
  const attune_value *found = member(row, field);
  if (found && found->type == ATTUNE_STRING) return *text = found->text, ATTUNE_OK;
  char why[160];
  snprintf(why, sizeof why, "`%s`: expected a string, found %s", field, names[found && found->type >= 0 && found->type < 8 ? found->type : 0]);
  return me->host->fail(me->host, ATTUNE_E_INVALID, str(why));
}

static int32_t map(void *self, const attune_value *row, const attune_sample_sink *sink) {
  const @name@ *me = self;
  attune_str question, answer;
  int32_t code = text_of(me, row, me->question, &question);
  if (code == ATTUNE_OK) code = text_of(me, row, me->answer, &answer);
  if (code != ATTUNE_OK) return code;
  const attune_part asked = {ATTUNE_TEXT, 0, {NULL, 0}, {NULL, 0}, {question.data, question.size}};
  const attune_part said = {ATTUNE_TEXT, 0, {NULL, 0}, {NULL, 0}, {answer.data, answer.size}};
  const attune_turn turns[] = {{str("user"), &asked, 1, 1.0}, {str("assistant"), &said, 1, 1.0}};
  const double unrated = strtod("nan", NULL);
  const attune_view view = {turns, 2, unrated, {NULL, 0}};
  const attune_value label = {ATTUNE_STRING, 0, 0, 0, answer, NULL, NULL, 0};
  const attune_str name = str("answer");
  const attune_value labels = {ATTUNE_MAP, 0, 0, 0, {NULL, 0}, &label, &name, 1};
  const attune_sample sample = {ATTUNE_END(attune_sample, labels), 0, {NULL, 0}, &view, 1, 1, &labels};
  return sink->emit(sink->context, &sample);
}

static void destroy(void *self) { free(self); }

static int32_t create(const attune_host *host, const attune_value *options, void **out) {
  const attune_value *question = member(options, "question"), *answer = member(options, "answer");
  if (!question || question->type != ATTUNE_STRING || question->text.size >= sizeof ((@name@ *)0)->question || !answer ||
      answer->type != ATTUNE_STRING || answer->text.size >= sizeof ((@name@ *)0)->answer)
    return host->fail(host, ATTUNE_E_INVALID, str("`question`, `answer`: expected names of at most 63 bytes"));
  @name@ *made = calloc(1, sizeof *made);
  if (!made) return host->fail(host, ATTUNE_E_NOMEM, str("out of memory"));
  made->host = host;
  if (question->text.size) memcpy(made->question, question->text.data, question->text.size);
  if (answer->text.size) memcpy(made->answer, answer->text.data, answer->text.size);
  made->table = (attune_dataset){ATTUNE_END(attune_dataset, map), 0, made, destroy, map};
  *out = &made->table;
  return ATTUNE_OK;
}

const attune_entry *attune_plugin_v1(void) {
  static const attune_factory factory = {ATTUNE_END(attune_factory, create), 0, "dataset/1", "@name@", create};
  static const attune_factory *const factories[] = {&factory, NULL};
  static const attune_entry entry = {ATTUNE_END(attune_entry, factories), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR,
                                     ATTUNE_PLUGIN_ID, ATTUNE_PLUGIN_FINGERPRINT, NULL, NULL, factories};
  return &entry;
}
