/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer of bytes with one fault. Text is ASCII; what is not is written as hexadecimal digits. */
#include "common.h"

INSTANCE(attune_tokenizer)

static int32_t vocabulary(void *self, int64_t *size) {
  (void)self;
  *size = FAULT == 1 ? 100 : 256;
  return ATTUNE_OK;
}

static int32_t token(void *self, attune_str name, int64_t *id) {
  (void)self, (void)name;
  *id = FAULT == 2 ? 0 : -1;
  return ATTUNE_OK;
}

static int32_t encode(void *self, attune_str text, uint32_t flags, const attune_encoding_sink *sink) {
  (void)self, (void)flags;
  int64_t *ids = malloc((text.size + 1) * sizeof *ids);
  attune_token_offset *offsets = malloc((text.size + 1) * sizeof *offsets);
  for (size_t i = 0; i < text.size; ++i) {
    ids[i] = (unsigned char)text.data[i];
    offsets[i] = (attune_token_offset){i, i + 1 + (FAULT == 3)};
  }
  const attune_encoding made = {ATTUNE_END(attune_encoding, n_ids), 0, ids, offsets, text.size};
  const int32_t code = sink->emit(sink->context, &made);
  free(ids), free(offsets);
  return code;
}

static int32_t text_of(instance *me, const int64_t *ids, size_t first, size_t n, const attune_text_sink *sink) {
  char *text = malloc(2 * n + 1);
  size_t size = 0;
  for (size_t i = first; i < n; ++i) {
    if (ids[i] < 0 || ids[i] > 255) return free(text), refuse(me->host, ATTUNE_E_INVALID, "expected ids below 256");
    if (ids[i] < 128) text[size++] = (char)ids[i];
    else text[size++] = "0123456789abcdef"[ids[i] >> 4], text[size++] = "0123456789abcdef"[ids[i] & 15];
  }
  const int32_t code = sink->emit(sink->context, (attune_str){text, size});
  free(text);
  return code;
}

static int32_t decode(void *self, const int64_t *ids, size_t n, uint32_t flags, const attune_text_sink *sink) {
  (void)flags;
  return text_of(self, ids, 0, n > 0 && FAULT == 4 ? n - 1 : n, sink);
}

static int32_t decode_next(void *self, const int64_t *ids, size_t n, uint32_t flags, const attune_text_sink *sink) {
  (void)flags;
  return text_of(self, ids, n > 0 ? (FAULT == 5 && n > 3 ? n - 2 : n - 1) : 0, n, sink);
}

static int32_t render(void *self, const attune_turn *turns, size_t n, uint32_t flags, const attune_rendering_sink *sink) {
  (void)self, (void)flags;
  size_t room = 1;
  for (size_t t = 0; t < n; ++t) room += turns[t].parts[0].data.size + 1;
  char *text = malloc(room);
  attune_span *spans = malloc((n + 1) * sizeof *spans);
  size_t size = 0;
  for (size_t t = 0; t < n; ++t) {
    const attune_blob said = turns[t].parts[0].data;
    if (said.size) memcpy(text + size, said.data, said.size);
    spans[t] = (attune_span){size + (FAULT == 6 && t == 1), size + said.size, t};
    size += said.size;
    text[size++] = '\n';
  }
  const attune_rendering made = {ATTUNE_END(attune_rendering, n_spans), 0, {text, size}, spans, n};
  const int32_t code = sink->emit(sink->context, &made);
  free(text), free(spans);
  return code;
}

static int32_t create(const attune_host *host, const attune_value *options, void **out) {
  (void)options;
  instance *me = calloc(1, sizeof *me);
  me->host = host;
  me->table = (attune_tokenizer){ATTUNE_END(attune_tokenizer, render), 0, me, destroy, vocabulary, token, encode, decode, decode_next, render};
  *out = &me->table;
  return ATTUNE_OK;
}

PLUGIN("tokenizer/1", create)
