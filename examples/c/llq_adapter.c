/* An LLQ decoder and its adapter for the conformance suite, written from the specification alone.
 *
 *   cc -std=c11 -O2 -o llq_adapter examples/c/llq_adapter.c -lm
 *   pytest conformance --runtime='cmd:./llq_adapter'
 *
 * C11 and its standard library only. It claims `decode` and not `reject`: it refuses what it cannot read
 * and otherwise trusts packages that the suite calls valid. Whatever is wrong with a package or a request
 * becomes an error response; memory is taken only after files were found long enough for it (READ-3).
 */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Errors and memory: both of one request; `reset` after each ---------------------------------------- */

static jmp_buf recover;
static char error_text[512];

_Noreturn static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error_text, sizeof error_text, format, arguments);
  va_end(arguments);
  longjmp(recover, 1);
}

typedef union Chunk {
  union Chunk *next;
  max_align_t align;
} Chunk;

static Chunk *chunks;
static FILE *opened; /* at most one file at a time */

static void *allocate(uint64_t size) {
  Chunk *chunk = size < SIZE_MAX - sizeof(Chunk) ? malloc(sizeof(Chunk) + (size_t)size) : NULL;
  if (!chunk) fail("out of memory: %" PRIu64 " bytes", size);
  chunk->next = chunks;
  chunks = chunk;
  return chunk + 1;
}

static void close_file(void) {
  if (opened) fclose(opened);
  opened = NULL;
}

static void reset(void) {
  close_file();
  while (chunks) {
    Chunk *next = chunks->next;
    free(chunks);
    chunks = next;
  }
}

/* ---- JSON ---------------------------------------------------------------------------------------------- */

typedef enum { NOTHING, BOOLEAN, NUMBER, TEXT, ARRAY, OBJECT } Kind;

typedef struct Value {
  Kind kind;
  uint64_t number; /* all that the format needs are integers below 2^53; others are kept as `fraction` */
  bool fraction;
  char *text;           /* NULL if it holds a zero character: nothing that is needed does */
  char *key;            /* of a member; likewise */
  struct Value *first;  /* of the elements or members */
  struct Value *next;   /* sibling */
} Value;

typedef struct {
  const char *at, *end;
  int depth;
} Reader;

static const int DEEPEST = 64;

static void skip_space(Reader *r) {
  while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at) r->at++;
}

static char peek(Reader *r) {
  skip_space(r);
  return r->at < r->end ? *r->at : '\0';
}

static void expect(Reader *r, const char *word) {
  size_t length = strlen(word);
  bool there = (size_t)(r->end - r->at) >= length && memcmp(r->at, word, length) == 0;
  if (!there) fail("JSON: '%s' expected", word);
  r->at += length;
}

static uint32_t read_hex4(Reader *r) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++, r->at++) {
    if (r->at >= r->end || !isxdigit((unsigned char)*r->at)) fail("JSON: four hexadecimal digits expected");
    int digit = tolower((unsigned char)*r->at);
    value = 16 * value + (uint32_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
  }
  return value;
}

static char *put_utf8(char *out, uint32_t c) {
  static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
  int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  *out++ = (char)(lead[more] | c >> 6 * more);
  while (more--) *out++ = (char)(0x80 | (c >> 6 * more & 63));
  return out;
}

/* A string, or NULL if it holds a zero character. */
static char *read_text(Reader *r) {
  bool zero = false;
  expect(r, "\"");
  const char *close = r->at;
  while (close < r->end && *close != '"') close += *close == '\\' && close + 1 < r->end ? 2 : 1;
  char *text = allocate((uint64_t)(close - r->at) + 1), *out = text; /* escapes only shrink */
  while (r->at < r->end && *r->at != '"') {
    if ((unsigned char)*r->at < 0x20) fail("JSON: a control character in a string");
    if (*r->at != '\\') {
      *out++ = *r->at++;
      continue;
    }
    if (++r->at == r->end) break;
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *simple = *r->at ? strchr(from, *r->at) : NULL;
    if (simple) {
      *out++ = to[simple - from];
      r->at++;
      continue;
    }
    expect(r, "u");
    uint32_t c = read_hex4(r);
    if (c >= 0xD800 && c < 0xDC00) {
      expect(r, "\\u");
      uint32_t low = read_hex4(r);
      if (low < 0xDC00 || low > 0xDFFF) fail("JSON: half a surrogate pair");
      c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    } else if (c >= 0xDC00 && c < 0xE000) {
      fail("JSON: half a surrogate pair");
    }
    zero |= !c;
    out = put_utf8(out, c);
  }
  expect(r, "\"");
  *out = '\0';
  return zero ? NULL : text;
}

static void read_number(Reader *r, Value *value) {
  value->kind = NUMBER;
  const char *begin = r->at;
  while (r->at < r->end && isdigit((unsigned char)*r->at)) {
    if (value->number > (UINT64_C(1) << 53)) fail("JSON: a number above 2^53");
    value->number = 10 * value->number + (uint64_t)(*r->at++ - '0');
  }
  const char *digits = r->at;
  while (r->at < r->end && *r->at && strchr("+-.eE0123456789", *r->at)) r->at++;
  if (r->at == begin) fail("JSON: a value expected");
  value->fraction = r->at != digits || digits == begin; /* negative ones too: none that is needed is */
}

static Value *read_value(Reader *r) {
  Value *value = allocate(sizeof *value);
  *value = (Value){0};
  char c = peek(r);
  if (c == '{' || c == '[') {
    value->kind = c == '{' ? OBJECT : ARRAY;
    if (++r->depth > DEEPEST) fail("JSON: nested deeper than %d", DEEPEST);
    char close = c == '{' ? '}' : ']';
    r->at++;
    Value **last = &value->first;
    while (peek(r) != close || value->first) {
      char *key = NULL;
      if (c == '{') {
        skip_space(r);
        key = read_text(r);
        skip_space(r);
        expect(r, ":");
      }
      *last = read_value(r);
      (*last)->key = key;
      last = &(*last)->next;
      if (peek(r) == close) break;
      expect(r, ",");
    }
    r->at++;
    r->depth--;
  } else if (c == '"') {
    value->kind = TEXT;
    value->text = read_text(r);
  } else if (c == 't' || c == 'f') {
    value->kind = BOOLEAN;
    value->number = c == 't';
    expect(r, c == 't' ? "true" : "false");
  } else if (c == 'n') {
    expect(r, "null");
  } else {
    read_number(r, value);
  }
  return value;
}

static Value *parse(const char *text, size_t length) {
  Reader reader = {text, text + length, 0};
  Value *value = read_value(&reader);
  if (peek(&reader) || reader.at != reader.end) fail("JSON: something follows the value");
  return value;
}

/* The member of this name and kind. */
static Value *get(const Value *object, const char *name, Kind kind) {
  for (Value *each = object->kind == OBJECT ? object->first : NULL; each; each = each->next) {
    if (each->key && strcmp(each->key, name) == 0) {
      if (each->kind != kind || each->fraction) fail("JSON: '%s' is not of the kind that is expected", name);
      return each;
    }
  }
  fail("JSON: no member '%s'", name);
}

static uint64_t get_number(const Value *object, const char *name) {
  return get(object, name, NUMBER)->number;
}

static const char *get_text(const Value *object, const char *name) {
  const char *text = get(object, name, TEXT)->text;
  if (!text) fail("JSON: a zero character in '%s'", name);
  return text;
}

/* ---- The format ---------------------------------------------------------------------------------------- */

enum { BLOCK = 64, PLANE = 1024, SLOT = 256 };

static const uint64_t WHOLE = UINT64_MAX;

static uint64_t align(uint64_t n) { return (n + 255) / 256 * 256; }
static uint64_t ceil_div(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }
static uint32_t u16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const uint8_t *p) { return u16(p) | u16(p + 2) << 16; }

/* The value of a binary16 bit pattern: every one is a binary32 (chapter Shards and records, RAW-3). */
static float binary16(uint32_t bits) {
  int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
  float magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                    : exponent == 0 ? ldexpf((float)fraction, -24)
                                    : ldexpf((float)(1024 + fraction), exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/* `*length` bytes of a file of the package, from `offset` on; all of them, and how many, if that is WHOLE. */
static uint8_t *read_bytes(const char *directory, const char *name, uint64_t offset, uint64_t *length) {
  char *path = allocate(strlen(directory) + strlen(name) + 2);
  sprintf(path, "%s/%s", directory, name);
  opened = fopen(path, "rb");
  if (!opened) fail("%s: %s", path, strerror(errno));
  if (fseek(opened, 0, SEEK_END) != 0) fail("%s: %s", path, strerror(errno));
  long end = ftell(opened);
  if (end < 0) fail("%s: %s", path, strerror(errno));
  if (*length == WHOLE) *length = (uint64_t)end;
  if (offset > (uint64_t)end || *length > (uint64_t)end - offset) fail("LLQ-PKG-8: %s is too short", name);
  uint8_t *bytes = allocate(*length);
  if (fseek(opened, (long)offset, SEEK_SET) != 0 || fread(bytes, 1, (size_t)*length, opened) != *length)
    fail("%s cannot be read", path);
  close_file();
  return bytes;
}

static bool is_file_name(const char *name) { /* PKG-3: so no path leads out of the package */
  size_t length = strlen(name);
  if (length < 1 || length > 128 || !isalnum((unsigned char)name[0])) return false;
  for (size_t i = 0; i < length; i++)
    if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i])) return false;
  return true;
}

/* Decodes a PackedWeight record of rows x cols weights. */
static void decode_record(const uint8_t *bytes, bool affine, uint64_t rows, uint64_t cols, float *out) {
  uint64_t across = ceil_div(cols, BLOCK); /* edge blocks included (PACK-5) */
  uint64_t blocks = ceil_div(rows, BLOCK) * across;
  if (u32(bytes + 8) != blocks) fail("LLQ-REC-2: num_blocks is not that of the part");
  const uint8_t *scales = bytes + SLOT;
  const uint8_t *zero_points = scales + align(2 * blocks);
  const uint8_t *packed = zero_points + (affine ? align(blocks) : 0);
  for (uint64_t row = 0; row < rows; row++) {
    for (uint64_t col = 0; col < cols; col++) {
      uint64_t block = row / BLOCK * across + col / BLOCK;
      uint64_t element = BLOCK * (row % BLOCK) + col % BLOCK; /* row-major within the block (PACK-2) */
      const uint8_t *low = packed + 2 * PLANE * block + element / 4, *high = low + PLANE; /* PACK-3 */
      unsigned shift = 2 * (element & 3); /* least significant bits first (PACK-4) */
      int code = (*low >> shift & 3) + 4 * (*high >> shift & 3);
      int zero_point = !affine ? 8 : zero_points[block] < 128 ? zero_points[block] : zero_points[block] - 256;
      float scale = binary16(u16(scales + 2 * block)); /* DEQ-6 */
      out[row * cols + col] = scale * (float)(code - zero_point); /* DEQ-3, exact (DEQ-5) */
    }
  }
}

static void decode_raw(const uint8_t *bytes, bool half, uint64_t count, float *out) {
  for (uint64_t i = 0; i < count; i++) {
    uint32_t bits = half ? 0 : u32(bytes + 4 * i);
    if (half)
      out[i] = binary16(u16(bytes + 2 * i));
    else
      memcpy(out + i, &bits, 4); /* as stored, bit for bit */
  }
}

typedef struct {
  uint64_t rows, cols;
  int dimensions;
  float *weights;
} Tensor;

/* Decodes one tensor of a package. */
static Tensor decode_tensor(const char *directory, const char *name) {
  uint64_t length = WHOLE;
  uint8_t *text = read_bytes(directory, "metadata.json", 0, &length);
  Value *metadata = parse((char *)text, length);
  if (strcmp(get_text(metadata, "version"), "1.0") != 0) fail("LLQ-VER-1: not version 1.0");
  Value *entry = get(metadata, "tensors", ARRAY)->first;
  while (entry && strcmp(get_text(entry, "name"), name) != 0) entry = entry->next;
  if (!entry) fail("there is no tensor %s", name);

  Tensor tensor = {0, 1, 0, NULL};
  for (Value *size = get(entry, "shape", ARRAY)->first; size; size = size->next, tensor.dimensions++) {
    if (size->kind != NUMBER || size->fraction || !size->number || size->number > UINT32_MAX)
      fail("shape: sizes are positive integers below 2^32");
    *(tensor.dimensions ? &tensor.cols : &tensor.rows) = size->number;
  }
  if (tensor.dimensions < 1 || tensor.dimensions > 2) fail("shape: one or two dimensions expected");
  const char *dtype = get_text(entry, "dtype");
  bool affine = strcmp(dtype, "int4_affine") == 0, half = strcmp(dtype, "f16") == 0;
  bool raw = half || strcmp(dtype, "f32") == 0;
  if (!raw && !affine && strcmp(dtype, "int4_symmetric") != 0) fail("dtype: unknown");

  uint64_t done = 0; /* rows */
  for (Value *part = get(entry, "parts", ARRAY)->first; part; part = part->next) {
    uint64_t rows = get_number(part, "num_rows"), cols = tensor.cols;
    if (get_number(part, "first_row") != done || !rows || rows > tensor.rows - done) fail("LLQ-PART-1: rows");
    if (rows > UINT32_MAX / cols) fail("LLQ-PART-5: larger than any shard");
    uint64_t blocks = ceil_div(rows, BLOCK) * ceil_div(cols, BLOCK);
    uint64_t needed = raw ? align(rows * cols * (half ? 2 : 4))
                          : SLOT + align(2 * blocks) + (affine ? align(blocks) : 0) + 2 * PLANE * blocks;
    if (get_number(part, "byte_length") != needed) fail("LLQ-PART-5: byte_length");
    Value *shard = get(metadata, "shards", ARRAY)->first;
    for (uint64_t i = get_number(part, "shard"); shard && i; i--) shard = shard->next;
    if (!shard) fail("LLQ-PART-3: there is no such shard");
    const char *file = get_text(shard, "file");
    if (!is_file_name(file)) fail("LLQ-PKG-3: no name of a shard");
    uint8_t *bytes = read_bytes(directory, file, get_number(part, "offset"), &needed);
    float *grown = allocate((done + rows) * cols * sizeof(float)); /* its rows have been read */
    if (done) memcpy(grown, tensor.weights, done * cols * sizeof(float));
    tensor.weights = grown;
    if (raw)
      decode_raw(bytes, half, rows * cols, grown + done * cols);
    else
      decode_record(bytes, affine, rows, cols, grown + done * cols);
    done += rows; /* parts in order of rows (PART-10) */
  }
  if (done != tensor.rows) fail("LLQ-PART-1: rows are missing");
  return tensor;
}

/* ---- The adapter --------------------------------------------------------------------------------------- */

/* Writes a .npy file, version 1.0: little-endian float32 in C order. */
static void write_npy(const char *path, const Tensor *tensor) {
  char shape[64], header[128];
  if (tensor->dimensions == 1)
    sprintf(shape, "(%" PRIu64 ",)", tensor->rows);
  else
    sprintf(shape, "(%" PRIu64 ", %" PRIu64 ")", tensor->rows, tensor->cols);
  int used = sprintf(header, "\x93NUMPY\x01%c\x76%c", 0, 0); /* 0x76 = 118 bytes of text follow: 128 in all */
  used += sprintf(header + used, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", shape);
  memset(header + used, ' ', sizeof header - (size_t)used);
  header[sizeof header - 1] = '\n';
  opened = fopen(path, "wb");
  if (!opened) fail("%s: %s", path, strerror(errno));
  fwrite(header, 1, sizeof header, opened);
  for (uint64_t i = 0; i < tensor->rows * tensor->cols; i++) {
    uint32_t bits;
    memcpy(&bits, tensor->weights + i, 4);
    uint8_t bytes[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24)};
    fwrite(bytes, 1, 4, opened);
  }
  bool failed = ferror(opened) != 0;
  failed |= fclose(opened) != 0;
  opened = NULL;
  if (failed) fail("%s cannot be written", path);
}

static void print_text(const char *text) {
  putchar('"');
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') putchar('\\');
    putchar((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7E ? '?' : *text); /* ASCII is UTF-8 */
  }
  putchar('"');
}

static uint64_t request_id;

/* Answers one request; false after the last. */
static bool answer(const char *line, size_t length) {
  Value *request = parse(line, length);
  const char *op = get_text(request, "op");
  if (strcmp(op, "bye") == 0) return false;
  if (strcmp(op, "hello") == 0) {
    printf("{\"op\": \"hello\", \"protocol\": 1, \"name\": \"llq-c-example\", \"version\": \"1.0.0\", "
           "\"language\": \"C\", \"capabilities\": [\"decode\"]}\n");
    return true;
  }
  request_id = get_number(request, "id");
  if (strcmp(op, "decode") != 0) fail("%s is not claimed", op);
  Tensor tensor = decode_tensor(get_text(request, "package"), get_text(request, "tensor"));
  write_npy(get_text(request, "output"), &tensor);
  printf("{\"id\": %" PRIu64 ", \"ok\": true}\n", request_id);
  return true;
}

/* The next line of standard input, or NULL at its end; `*line` grows as it must. */
static char *read_line(char **line, size_t *capacity, size_t *length) {
  *length = 0;
  for (int c; (c = getchar()) != EOF;) {
    if (*length + 1 >= *capacity) {
      *capacity = 2 * *capacity + 256;
      *line = realloc(*line, *capacity);
      if (!*line) exit(1);
    }
    if (c == '\n') return *line;
    (*line)[(*length)++] = (char)c;
  }
  return NULL;
}

int main(void) {
  static char *line;
  static size_t capacity, length;
  static bool more = true;
  while (more && read_line(&line, &capacity, &length)) {
    if (setjmp(recover) == 0) {
      more = answer(line, length);
    } else {
      printf("{\"id\": %" PRIu64 ", \"ok\": false, \"error\": ", request_id);
      print_text(error_text);
      printf("}\n");
    }
    fflush(stdout);
    reset();
  }
  free(line);
  return 0;
}
