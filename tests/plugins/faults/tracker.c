/* SPDX-License-Identifier: Apache-2.0 */
/* A tracker with one fault. */
#include "common.h"

INSTANCE(attune_tracker)

static int64_t newest;

static int32_t log_step(void *self, int64_t step, double wall_time, const attune_value *metrics) {
  instance *me = self;
  (void)wall_time;
#if FAULT == 1
  if (step < newest) return refuse(me->host, ATTUNE_E_INVALID, "a step came again");
#endif
  newest = step;
#if FAULT != 2
  FILE *file = fopen(me->path, "a");
  if (!file) {
    if (FAULT == 3) return ATTUNE_OK;
    return refuse(me->host, ATTUNE_E_IO, "the folder cannot be written");
  }
  fprintf(file, "%lld %zu\n", (long long)step, metrics->n_items);
  fclose(file);
#endif
  (void)metrics, (void)me;
  return ATTUNE_OK;
}

static int32_t create(const attune_host *host, const attune_value *options, void **out) {
  const attune_value *folder = member(options, "folder");
  if (!folder || folder->type != ATTUNE_STRING) return refuse(host, ATTUNE_E_INVALID, "`folder`: expected a path");
  instance *me = calloc(1, sizeof *me);
  me->host = host;
  snprintf(me->path, sizeof me->path, "%.*s/metrics", (int)(folder->text.size < 400 ? folder->text.size : 400), folder->text.data ? folder->text.data : "");
  me->table = (attune_tracker){ATTUNE_END(attune_tracker, log), 0, me, destroy, log_step};
  *out = &me->table;
  return ATTUNE_OK;
}

PLUGIN("tracker/1", create)
