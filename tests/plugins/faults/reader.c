/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of lines, each {"line": ...}, with one fault. A line that begins with a byte beyond 127 is damaged. */
#include "common.h"

typedef struct instance {
  attune_reader table;
  const attune_host *host;
  char path[512];
  char *text;
  size_t size;
  int64_t next;
} instance;

static void destroy(void *self) {
  instance *me = self;
  free(me->text);
  free(me);
}

static int64_t lines(const instance *me) {
  int64_t n = 0;
  for (size_t i = 0; i < me->size; ++i) n += me->text[i] == '\n';
  return n;
}

static int32_t count(void *self, int64_t *records) {
  *records = lines(self);
#if FAULT == 1
  *records += 1;
#elif FAULT == 2
  *records = -1;
#endif
  return ATTUNE_OK;
}

static int32_t read_lines(void *self, int64_t first, int64_t n, const attune_value_sink *sink) {
  instance *me = self;
  const int64_t all = lines(me);
#if FAULT == 3
  if (n == 1) first = me->next;
#elif FAULT == 4
  if (first > all) return me->text[first * 1000000];
#elif FAULT == 5
  if (n == 2 && first > 0) ++first;
#endif
  const char *at = me->text;
  for (int64_t i = 0; i < all; ++i) {
    const char *end = memchr(at, '\n', me->size - (size_t)(at - me->text));
    if (i >= first && n > 0) {
      attune_str key = str("line");
      attune_value line = {.type = ATTUNE_STRING, .text = {at, (size_t)(end - at)}};
      attune_value record = {.type = ATTUNE_MAP, .items = &line, .keys = &key, .n_items = 1};
      const int32_t code = sink->emit(sink->context, &record);
      if (code != ATTUNE_OK) return code;
      --n;
      me->next = i + 1;
    }
    at = end + 1;
  }
  return ATTUNE_OK;
}

static int32_t create(const attune_host *host, const attune_value *options, void **out) {
  const attune_value *path = member(options, "path");
  if (!path || path->type != ATTUNE_STRING || path->text.size > 400) return refuse(host, ATTUNE_E_INVALID, "`path`: expected a path");
  instance *me = calloc(1, sizeof *me);
  me->host = host;
  if (path->text.size) memcpy(me->path, path->text.data, path->text.size);
  FILE *file = fopen(me->path, "rb");
  char why[600];
  snprintf(why, sizeof why, "%s: cannot be read", me->path);
  if (!file) return free(me), refuse(host, ATTUNE_E_IO, why);
  me->text = malloc((size_t)64 << 20);
  me->size = fread(me->text, 1, (size_t)64 << 20, file);
  const int broken = ferror(file);
  fclose(file);
  for (size_t i = 0; i < me->size; ++i) {
    if ((unsigned char)me->text[i] < 128 && me->text[i] != 0) continue;
    snprintf(why, sizeof why, "%s: expected ASCII", FAULT == 6 ? "the file" : me->path);
    return destroy(me), refuse(host, ATTUNE_E_INVALID, why);
  }
  if (broken) return destroy(me), refuse(host, ATTUNE_E_IO, why);
  me->text = realloc(me->text, me->size + 1);
  me->table = (attune_reader){ATTUNE_END(attune_reader, read), 0, me, destroy, count, read_lines};
  *out = &me->table;
  return ATTUNE_OK;
}

PLUGIN("reader/1", create)
