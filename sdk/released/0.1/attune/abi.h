/* SPDX-License-Identifier: Apache-2.0 */
/* The whole plugin ABI of Attune: C11, or any language with a C FFI.
 *
 * A plugin exports one function, attune_plugin_v1, which returns an entry; the entry lists factories; a factory creates
 * one table of functions of its kind.
 *
 *   Growable tables   start with `size`, the end offset of the last member that the writer knows (ATTUNE_END, never
 *                     sizeof). They grow at the end only. A reader asks ATTUNE_HAS before it uses a member.
 *   Frozen leaves     (str, blob, value, part, turn, view, span, token_offset, tensor) travel in arrays and never change
 *                     within a major version.
 *   Errors            every function that can fail returns 0 or an attune_code, after `host->fail(host, code, why)`.
 *                     Nothing throws or longjmps through this boundary.
 *   Memory            arguments are borrowed for the call; results go to a sink and are borrowed until it returns.
 *                     A sink that returns non-zero wants no more: return that value at once.
 *   Threads           [control] one thread creates, calls and destroys. [worker] a pool thread, one call at a time per
 *                     instance unless the factory's metadata says `concurrent = true`. [any] thread-safe.
 */
#ifndef ATTUNE_ABI_H
#define ATTUNE_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ATTUNE_ABI_MAJOR 0
#define ATTUNE_ABI_MINOR 1

#define ATTUNE_END(T, member) ((uint32_t)(offsetof(T, member) + sizeof(((T *)0)->member)))
#define ATTUNE_HAS(table, T, member) ((table) && (table)->size >= ATTUNE_END(T, member) && (table)->member)

#if defined(__GNUC__)
#define ATTUNE_EXPORT __attribute__((visibility("default")))
#else
#define ATTUNE_EXPORT
#endif

enum {
  ATTUNE_OK = 0,
  ATTUNE_E_INVALID = 1,     /* the caller's data is wrong: a row that does not map, a file of another format */
  ATTUNE_E_UNSUPPORTED = 2, /* well-formed, but not something this plugin can do */
  ATTUNE_E_NOT_FOUND = 3,
  ATTUNE_E_IO = 4,
  ATTUNE_E_NOMEM = 5,
  ATTUNE_E_CANCELLED = 6,
  ATTUNE_E_INTERNAL = 7
};

/* ---- frozen leaves ------------------------------------------------------------------------------------------------ */

typedef struct attune_str {   /* UTF-8, not NUL-terminated; data may be NULL when size is 0 */
  const char *data;
  size_t size;
} attune_str;

typedef struct attune_blob {
  const void *data;
  size_t size;
} attune_blob;

enum {
  ATTUNE_NULL = 0, ATTUNE_BOOL = 1, ATTUNE_INT = 2, ATTUNE_FLOAT = 3,
  ATTUNE_STRING = 4, ATTUNE_BYTES = 5, ATTUNE_LIST = 6, ATTUNE_MAP = 7
};

/* A tree of plain data: a record, a set of options, a row of metrics. */
typedef struct attune_value {
  int32_t type;
  int32_t flags;                         /* 0 */
  int64_t integer;                       /* BOOL (0 or 1), INT */
  double number;                         /* FLOAT; for INT the same value as a double */
  attune_str text;                       /* STRING, BYTES */
  const struct attune_value *items;      /* LIST, MAP: n_items values */
  const attune_str *keys;                /* MAP: n_items keys, in the order of the source; else NULL */
  size_t n_items;
} attune_value;

enum { ATTUNE_TEXT = 1, ATTUNE_IMAGE = 2, ATTUNE_AUDIO = 3, ATTUNE_VIDEO = 4 };

typedef struct attune_part {
  int32_t kind;                          /* ATTUNE_TEXT, ATTUNE_IMAGE, ... */
  int32_t flags;                         /* 0 */
  attune_str mime;                       /* "" for text */
  attune_str uri;                        /* where media lies, if not in data */
  attune_blob data;                      /* text: UTF-8; media: the file's bytes, if at hand */
} attune_part;

typedef struct attune_turn {
  attune_str role;                       /* "system", "user", "assistant", "tool" */
  const attune_part *parts;
  size_t n_parts;
  double weight;                         /* of its loss when the turn is scored; 1 is usual */
} attune_turn;

typedef struct attune_view {             /* one conversation of a sample */
  const attune_turn *turns;
  size_t n_turns;
  double rating;                         /* NaN: not rated */
  attune_str feedback;                   /* language feedback on the answer, "" if none */
} attune_view;

typedef struct attune_span {             /* bytes [begin, end) of a rendered conversation */
  size_t begin, end;
  size_t turn;                           /* index of the turn whose content this is */
} attune_span;

typedef struct attune_token_offset {     /* bytes [begin, end) of the encoded text; begin == end for added tokens */
  size_t begin, end;
} attune_token_offset;

enum {
  ATTUNE_F32 = 1, ATTUNE_F16 = 2, ATTUNE_BF16 = 3, ATTUNE_F64 = 4, ATTUNE_I64 = 5, ATTUNE_I32 = 6,
  ATTUNE_I16 = 7, ATTUNE_I8 = 8, ATTUNE_U8 = 9, ATTUNE_BOOL8 = 10
};

typedef struct attune_tensor {           /* dense, row-major, little-endian */
  attune_str name;
  int32_t dtype;
  int32_t n_dims;
  const int64_t *shape;
  attune_blob data;                      /* {NULL, 0} where only the description is meant */
} attune_tensor;

/* ---- host --------------------------------------------------------------------------------------------------------- */

typedef struct attune_host attune_host;
struct attune_host {
  uint32_t size;
  uint16_t abi_major, abi_minor;
  void *context;
  /* [any] A service's table ("attune.log/1"), or NULL where this host has none. */
  const void *(*service)(const attune_host *host, const char *id);
  /* [any] Keeps a copy of `why` for the calling thread and returns `code`. */
  int32_t (*fail)(const attune_host *host, int32_t code, attune_str why);
};

enum { ATTUNE_LOG_DEBUG = 0, ATTUNE_LOG_INFO = 1, ATTUNE_LOG_WARN = 2, ATTUNE_LOG_ERROR = 3 };

typedef struct attune_log {              /* service "attune.log/1" */
  uint32_t size, reserved;
  void *context;
  void (*write)(const struct attune_log *log, int32_t level, attune_str message); /* [any] */
} attune_log;

/* ---- samples ------------------------------------------------------------------------------------------------------ */

/* One row of training or evaluation data, of any modality.
 *   1 view    supervised: the assistant turns are scored
 *   2 views   a pair: view 0 is chosen, view 1 rejected
 *   n views   a ranking, best first, or as `rating` says
 * The first `n_prompt` turns are the same in every view and are never scored. */
typedef struct attune_sample {
  uint32_t size, reserved;
  attune_str id;
  const attune_view *views;
  size_t n_views;
  size_t n_prompt;
  const attune_value *labels;            /* MAP or NULL: "answer", "desirable", "margin", ... */
} attune_sample;

typedef struct attune_sample_sink {
  uint32_t size, reserved;
  void *context;
  int32_t (*emit)(void *context, const attune_sample *sample);
} attune_sample_sink;

typedef struct attune_value_sink {
  uint32_t size, reserved;
  void *context;
  int32_t (*emit)(void *context, const attune_value *value);
} attune_value_sink;

typedef struct attune_text_sink {
  uint32_t size, reserved;
  void *context;
  int32_t (*emit)(void *context, attune_str text);
} attune_text_sink;

typedef struct attune_blob_sink {
  uint32_t size, reserved;
  void *context;
  int32_t (*emit)(void *context, attune_blob blob);
} attune_blob_sink;

typedef struct attune_tensor_sink {
  uint32_t size, reserved;
  void *context;
  int32_t (*emit)(void *context, const attune_tensor *tensor);
} attune_tensor_sink;

/* ---- kind "reader/1": a file format, as typed records by index ------------------------------------------------------ */

typedef struct attune_reader {           /* options: path */
  uint32_t size, flags;
  void *self;
  void (*destroy)(void *self);                                                                         /* [control] */
  int32_t (*count)(void *self, int64_t *records);                                                      /* [worker] */
  /* Emits records first .. first+n-1, each a MAP, in order; fewer at the end. Concurrent reads do not disturb it. */
  int32_t (*read)(void *self, int64_t first, int64_t n, const attune_value_sink *sink);                /* [worker] */
} attune_reader;

/* ---- kind "dataset/1": a record -> samples ------------------------------------------------------------------------- */

typedef struct attune_dataset {
  uint32_t size, flags;
  void *self;
  void (*destroy)(void *self);                                                                         /* [control] */
  /* Emits zero or more samples. A record that does not fit is ATTUNE_E_INVALID, with the field named. */
  int32_t (*map)(void *self, const attune_value *record, const attune_sample_sink *sink);              /* [worker] */
} attune_dataset;

/* ---- kind "tokenizer/1" -------------------------------------------------------------------------------------------- */

typedef struct attune_encoding {
  uint32_t size, reserved;
  const int64_t *ids;
  const attune_token_offset *offsets;
  size_t n_ids;
} attune_encoding;

typedef struct attune_encoding_sink {
  uint32_t size, reserved;
  void *context;
  int32_t (*emit)(void *context, const attune_encoding *encoding);
} attune_encoding_sink;

typedef struct attune_rendering {
  uint32_t size, reserved;
  attune_str text;
  const attune_span *spans;              /* where each turn's content lies, in order; a turn the template drops has none */
  size_t n_spans;
} attune_rendering;

typedef struct attune_rendering_sink {
  uint32_t size, reserved;
  void *context;
  int32_t (*emit)(void *context, const attune_rendering *rendering);
} attune_rendering_sink;

enum { ATTUNE_ENCODE_ADD_SPECIAL = 1 };        /* add what the tokenizer adds around a text (BOS, EOS) */
enum { ATTUNE_DECODE_SKIP_SPECIAL = 1 };
enum { ATTUNE_RENDER_GENERATION_PROMPT = 1 };

typedef struct attune_tokenizer {        /* options: path (a folder) */
  uint32_t size, flags;
  void *self;
  void (*destroy)(void *self);                                                                         /* [control] */
  int32_t (*vocabulary)(void *self, int64_t *size);                                                    /* [any] with added tokens */
  /* The id of "bos", "eos", "pad", "unk", or of a token by its text; -1 if there is none. */
  int32_t (*token)(void *self, attune_str name, int64_t *id);                                          /* [any] */
  int32_t (*encode)(void *self, attune_str text, uint32_t flags, const attune_encoding_sink *sink);    /* [worker] */
  int32_t (*decode)(void *self, const int64_t *ids, size_t n, uint32_t flags, const attune_text_sink *sink); /* [worker] */
  /* Streaming: the text that id `n-1` adds to ids `0..n-2`. Empty while a character is incomplete; the texts of all
   * prefixes, concatenated, equal decode(ids) except for an incomplete last character. */
  int32_t (*decode_next)(void *self, const int64_t *ids, size_t n, uint32_t flags, const attune_text_sink *sink); /* [worker] */
  /* Applies the chat template. ATTUNE_E_UNSUPPORTED where there is none. */
  int32_t (*render)(void *self, const attune_turn *turns, size_t n_turns, uint32_t flags,
                    const attune_rendering_sink *sink);                                                /* [worker] */
} attune_tokenizer;

/* ---- kind "weights/1": a checkpoint file format --------------------------------------------------------------------- */

typedef struct attune_weights {          /* options: path (a file; "" for an instance that only writes) */
  uint32_t size, flags;
  void *self;
  void (*destroy)(void *self);                                                                         /* [control] */
  /* Every tensor, in the file's order, without data: name, dtype as `read` gives it, shape. */
  int32_t (*list)(void *self, const attune_tensor_sink *sink);                                         /* [any] */
  /* One tensor with its data; memory mapped where the format allows it. */
  int32_t (*read)(void *self, attune_str name, const attune_tensor_sink *sink);                        /* [worker] */
  /* A document that the file carries or implies: "config.json", "tokenizer.json", "tokenizer_config.json",
   * "chat_template.jinja", "generation_config.json". ATTUNE_E_NOT_FOUND if it has none. */
  int32_t (*document)(void *self, attune_str name, const attune_text_sink *sink);                      /* [worker] */
  /* Writes one file, fsynced; metadata is a MAP of strings or NULL. Optional. */
  int32_t (*write)(void *self, attune_str path, const attune_tensor *tensors, size_t n_tensors,
                   const attune_value *metadata);                                                      /* [worker] */
} attune_weights;

/* ---- kind "generator/1": requests -> answers ------------------------------------------------------------------------- */

/* VALUES: what a value head says at the end of the answer, or, where it judges tokens, at the end of each step. */
enum { ATTUNE_REQUEST_GENERATE = 1, ATTUNE_REQUEST_LIKELIHOOD = 2, ATTUNE_REQUEST_VALUES = 3 };

typedef struct attune_request {
  uint32_t size;
  int32_t kind;
  uint64_t id;                           /* the random stream of a request is keyed by (seed, id) */
  const attune_turn *turns;              /* GENERATE: the prompt. Else: prompt and answer */
  size_t n_turns;
  size_t n_prompt;                       /* LIKELIHOOD: turns before this one are not scored */
  int64_t max_tokens;
  double temperature;                    /* 0: greedy */
  int64_t top_k;                         /* 0: off */
  double top_p;                          /* 1: off */
  uint64_t seed;
  const attune_str *stops;               /* stop strings; the answer ends before the first of them */
  size_t n_stops;
  int32_t raw;                           /* 1: the text of the only turn is the prompt itself, no chat template */
  int32_t reserved;
} attune_request;

enum { ATTUNE_STOP_END = 1, ATTUNE_STOP_STRING = 2, ATTUNE_STOP_LENGTH = 3 };

typedef struct attune_answer {
  uint32_t size;
  int32_t stop;                          /* GENERATE: why it ended */
  uint64_t id;                           /* of its request */
  attune_str text;                       /* GENERATE */
  const int64_t *ids;                    /* GENERATE: sampled tokens. LIKELIHOOD: scored tokens */
  const double *logprobs;                /* of each id under the model, nats */
  size_t n_ids;
  const double *values;                  /* VALUES: n_places x n_outputs, row by row; raw, no sigmoid or softmax */
  size_t n_places, n_outputs;
} attune_answer;

typedef struct attune_answer_sink {
  uint32_t size, reserved;
  void *context;
  int32_t (*emit)(void *context, const attune_answer *answer);
} attune_answer_sink;

typedef struct attune_generator {
  uint32_t size, flags;
  void *self;
  void (*destroy)(void *self);                                                                         /* [control] */
  /* Emits one answer per request, as each is ready. */
  int32_t (*generate)(void *self, const attune_request *const *requests, size_t n, const attune_answer_sink *sink); /* [control] */
} attune_generator;

/* ---- kind "evaluator/1": a benchmark, or a reward --------------------------------------------------------------------- */

typedef struct attune_request_sink {
  uint32_t size, reserved;
  void *context;
  int32_t (*emit)(void *context, const attune_request *request);
} attune_request_sink;

typedef struct attune_evaluator {
  uint32_t size, flags;
  void *self;
  void (*destroy)(void *self);                                                                         /* [control] */
  /* The requests that answer one sample. The host sets id and seed. */
  int32_t (*request)(void *self, const attune_sample *sample, const attune_request_sink *sink);        /* [worker] */
  /* A MAP of metric -> number (or bool) for this sample; answers come in the order of its requests. The host reports the mean of
   * each metric over samples, with a 95 % interval. */
  int32_t (*score)(void *self, const attune_sample *sample, const attune_answer *const *answers, size_t n,
                   const attune_value_sink *sink);                                                     /* [worker] */
} attune_evaluator;

/* ---- kind "tracker/1": where metrics go -------------------------------------------------------------------------------- */

typedef struct attune_tracker {          /* options: folder, set by the host to the run's folder */
  uint32_t size, flags;
  void *self;
  void (*destroy)(void *self);                                                                         /* [control] */
  /* `metrics` is a MAP of name -> number. Steps arrive in order; after a resume from step s, steps > s come again. */
  int32_t (*log)(void *self, int64_t step, double wall_time, const attune_value *metrics);             /* [control] */
} attune_tracker;

/* ---- torch tier: kinds "model/1" and "algorithm/1" ---------------------------------------------------------------------- */

/* `object` points to the C++ interface that the kind names (attune::Model, attune::Algorithm). Guarded by the build
 * fingerprint: same LibTorch, same C++ standard library. */
typedef struct attune_object {
  uint32_t size, flags;
  void *object;
  void (*destroy)(struct attune_object *self);                                                         /* [control] */
} attune_object;

/* ---- envelope ------------------------------------------------------------------------------------------------------------ */

typedef struct attune_factory {
  uint32_t size, reserved;
  const char *kind;                      /* "dataset/1" */
  const char *name;                      /* as in plugin.toml */
  /* [control] `options` is a MAP, already typed, defaulted and range-checked by plugin.toml; valid for the call.
   * `host` outlives the instance. On success *out is the kind's table. */
  int32_t (*create)(const attune_host *host, const attune_value *options, void **out);
} attune_factory;

typedef struct attune_entry {
  uint32_t size;
  uint16_t abi_major, abi_minor;
  const char *id;                        /* as in plugin.toml */
  const char *fingerprint;               /* as in the note; "" in the pure tier */
  int32_t (*init)(const attune_host *host);                                                            /* [control] may be NULL */
  void (*deinit)(void);                                                                                /* [control] may be NULL */
  const attune_factory *const *factories;                                                              /* NULL-terminated */
} attune_entry;

/* The only symbol that a plugin exports. */
ATTUNE_EXPORT const attune_entry *attune_plugin_v1(void);

#ifdef __cplusplus
}
#endif
#endif
