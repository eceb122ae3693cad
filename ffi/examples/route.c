/* Reads manifests, finds the rule of a request and picks a backend. It is C99 and C++11.
 *
 *   route FILE METHOD HOST TARGET [NAME:VALUE ...]
 *
 * Exit code: 0 found, 1 not found or refused, 2 wrong usage or manifests.
 */
#include <gatepost.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gatepost_str str(const char *text) {
  gatepost_str view = {text, strlen(text)};
  return view;
}

/* Prints what the library has to say, one line each, and ends it. */
static void report(gatepost_error *error) {
  size_t i;
  for (i = 0; i < gatepost_error_len(error); i++) {
    gatepost_error_info info = GATEPOST_ERROR_INFO_INIT;
    if (gatepost_error_get(error, i, &info) == GATEPOST_OK) fprintf(stderr, "%s\n", info.display.ptr);
  }
  gatepost_error_free(error);
}

static char *read_file(const char *path, size_t *len) {
  FILE *file = fopen(path, "rb");
  char *text = NULL;
  long size;
  if (file == NULL) return NULL;
  if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0) {
    text = (char *)malloc((size_t)size + 1);
    if (text != NULL) *len = fread(text, 1, (size_t)size, file);
  }
  fclose(file);
  return text;
}

/* A server's own table of header fields, asked by the library for the names that rules look at. */
typedef struct {
  char **fields;
  int len;
} fields_t;

static int field(void *ctx, gatepost_str name, size_t index, gatepost_str *value) {
  const fields_t *fields = (const fields_t *)ctx;
  int i;
  for (i = 0; i < fields->len; i++) {
    const char *colon = strchr(fields->fields[i], ':');
    size_t j = 0;
    if (colon == NULL || (size_t)(colon - fields->fields[i]) != name.len) continue;
    while (j < name.len && (fields->fields[i][j] | 0x20) == (name.ptr[j] | 0x20)) j++;
    if (j == name.len && index-- == 0) {
      *value = str(colon + 1);
      return 1;
    }
  }
  return 0;
}

/* What a program does once, and again for every change of the manifests: text in, table out. */
static gatepost_table *load(const char *source, const char *text, size_t len) {
  gatepost_resources *resources = gatepost_resources_new();
  gatepost_resolution *resolution = NULL;
  gatepost_table *table = NULL;
  gatepost_error *error = NULL;
  gatepost_str manifests;
  gatepost_str any = GATEPOST_STR_INIT;
  manifests.ptr = text;
  manifests.len = len;
  if (gatepost_resources_add(resources, str(source), manifests, 0, &error) == GATEPOST_OK) {
    report(error); /* warnings */
    if (gatepost_resolve(resources, NULL, &resolution, &error) == GATEPOST_OK) {
      if (gatepost_resolution_table(resolution, any, any, &table, &error) != GATEPOST_OK) report(error);
    } else {
      report(error);
    }
  } else {
    report(error);
  }
  gatepost_resolution_free(resolution);
  gatepost_resources_free(resources);
  return table;
}

int main(int argc, char **argv) {
  gatepost_request request = GATEPOST_REQUEST_INIT;
  gatepost_match match = GATEPOST_MATCH_INIT;
  gatepost_backend backend = GATEPOST_BACKEND_INIT;
  gatepost_table *table;
  gatepost_scratch *scratch;
  gatepost_code code;
  fields_t fields;
  char *text;
  size_t len = 0;
  int answer = 1;

  if (argc < 5) {
    fprintf(stderr, "usage: %s FILE METHOD HOST TARGET [NAME:VALUE ...]\n", argv[0]);
    return 2;
  }
  if (gatepost_abi() != GATEPOST_ABI) {
    fprintf(stderr, "built for another libgatepost than %s\n", gatepost_version());
    return 2;
  }
  text = read_file(argv[1], &len);
  if (text == NULL) {
    perror(argv[1]);
    return 2;
  }
  table = load(argv[1], text, len);
  free(text);
  if (table == NULL) return 2;

  fields.fields = argv + 5;
  fields.len = argc - 5;
  request.method = str(argv[2]);
  request.host = str(argv[3]);
  request.target = str(argv[4]);
  request.header = field;
  request.header_ctx = &fields;
  scratch = gatepost_scratch_new(table);

  code = gatepost_find(table, &request, scratch, &match);
  if (code != GATEPOST_OK) {
    printf("%u %.*s\n", gatepost_code_status(code), (int)match.reason.len, match.reason.ptr);
  } else {
    printf("%.*s %.*s/%.*s rules[%u].matches[%u]\n", (int)match.route_kind.len, match.route_kind.ptr,
           (int)match.route_namespace.len, match.route_namespace.ptr, (int)match.route_name.len, match.route_name.ptr,
           match.rule_index, match.match_index);
    if (match.work & GATEPOST_WORK_REWRITE_TARGET) printf("rewrite the target\n");
    printf("forward %.*s\n", (int)match.target.len, match.target.ptr);
    code = gatepost_pick(table, match.id, 0, &backend);
    if (code == GATEPOST_OK) {
      printf("to %.*s/%.*s:%u\n", (int)backend.ns.len, backend.ns.ptr, (int)backend.name.len, backend.name.ptr,
             backend.port);
      answer = 0;
    } else {
      printf("%u %.*s\n", gatepost_code_status(code), (int)backend.reason.len, backend.reason.ptr);
    }
  }
  gatepost_scratch_free(scratch);
  gatepost_table_release(table);
  return answer;
}
