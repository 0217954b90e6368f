/* SPDX-License-Identifier: Apache-2.0 */
/* A weights format of one process: what was written lies in memory, and the file is a mark. One fault. */
#include "common.h"

INSTANCE(attune_weights)

typedef struct stored {
  char name[64];
  int64_t shape[4];
  char *data;
  attune_tensor tensor;
} stored;
static stored all[16];
static size_t n_all;

static int32_t list(void *self, const attune_tensor_sink *sink) {
  (void)self;
  for (size_t i = 0; i < n_all; ++i) {
    attune_tensor made = all[i].tensor;
    made.data = (attune_blob){NULL, 0};
    if (FAULT == 1 && made.dtype == ATTUNE_BF16) made.dtype = ATTUNE_F16;
    const int32_t code = sink->emit(sink->context, &made);
    if (code != ATTUNE_OK) return code;
  }
  return ATTUNE_OK;
}

static int32_t read_one(void *self, attune_str name, const attune_tensor_sink *sink) {
  instance *me = self;
  for (size_t i = 0; i < n_all; ++i) {
    if (strlen(all[i].name) == name.size && memcmp(all[i].name, name.data, name.size) == 0) return sink->emit(sink->context, &all[i].tensor);
  }
  return refuse(me->host, FAULT == 2 ? ATTUNE_E_IO : ATTUNE_E_NOT_FOUND, "there is no such tensor");
}

static int32_t document(void *self, attune_str name, const attune_text_sink *sink) {
  instance *me = self;
  (void)name;
  if (FAULT == 3) return sink->emit(sink->context, str("{}"));
  return refuse(me->host, ATTUNE_E_NOT_FOUND, "there is no such document");
}

static int32_t write_all(void *self, attune_str path, const attune_tensor *tensors, size_t n, const attune_value *metadata) {
  instance *me = self;
  (void)metadata;
  char file_path[512];
  snprintf(file_path, sizeof file_path, "%.*s", (int)path.size, path.data);
  FILE *file = fopen(file_path, "wb");
  if (!file) return refuse(me->host, ATTUNE_E_IO, "cannot be written");
  fputs("written", file);
  fclose(file);
  for (n_all = 0; n_all < n && n_all < 16; ++n_all) {
    stored *one = &all[n_all];
    one->tensor = tensors[n_all];
    snprintf(one->name, sizeof one->name, "%.*s", (int)tensors[n_all].name.size, tensors[n_all].name.data);
    for (int d = 0; d < one->tensor.n_dims; ++d) one->shape[d] = tensors[n_all].shape[d];
    free(one->data);
    one->data = malloc(tensors[n_all].data.size + 1);
    if (tensors[n_all].data.size) memcpy(one->data, tensors[n_all].data.data, tensors[n_all].data.size);
    if (FAULT == 4 && tensors[n_all].data.size) one->data[0] ^= 1;
    one->tensor.name = str(one->name);
    one->tensor.shape = one->shape;
    one->tensor.data.data = one->data;
  }
  return ATTUNE_OK;
}

static int32_t create(const attune_host *host, const attune_value *options, void **out) {
  const attune_value *path = member(options, "path");
  if (!path || path->type != ATTUNE_STRING) return refuse(host, ATTUNE_E_INVALID, "`path`: expected a path");
  instance *me = calloc(1, sizeof *me);
  me->host = host;
  char file_path[512], mark[16] = "";
  snprintf(file_path, sizeof file_path, "%.*s", (int)path->text.size, path->text.data ? path->text.data : "");
  FILE *file = path->text.size ? fopen(file_path, "rb") : NULL;
  const size_t got = file ? fread(mark, 1, 8, file) : 0;
  if (file) fclose(file);
  if (path->text.size && (got != 7 || memcmp(mark, "written", 7) != 0)) return free(me), refuse(host, ATTUNE_E_INVALID, "is no such file");
  me->table = (attune_weights){ATTUNE_END(attune_weights, write), 0, me, destroy, list, read_one, document, write_all};
  *out = &me->table;
  return ATTUNE_OK;
}

PLUGIN("weights/1", create)
