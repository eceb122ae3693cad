/* Any bytes, read as a program of calls: whatever a C program does that can be seen to be wrong is refused, no call panics, and
 * what the header promises of the answers holds. libFuzzer bends the bytes (scripts/fuzz), replay.c reads kept ones.
 *
 * Texts of the caller lie in memory of exactly their size that is freed after the call, so that AddressSanitizer sees a byte too
 * many, and one kept too long. */
#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes that are left. */
typedef struct {
  const uint8_t *next;
  size_t left;
} bytes_t;

static uint8_t byte(bytes_t *bytes) {
  if (bytes->left == 0) return 0;
  bytes->left--;
  return *bytes->next++;
}

static uint64_t number(bytes_t *bytes) {
  uint64_t sum = 0;
  int i, count = byte(bytes) % 9;
  for (i = 0; i < count; i++) sum = sum << 8 | byte(bytes);
  return sum;
}

/* What lies in memory of its own until the step is over. */
#define HELD 64
typedef struct {
  void *memory[HELD];
  size_t len;
} held_t;

static char *hold(held_t *held, size_t len) {
  char *memory = (char *)malloc(len == 0 ? 1 : len);
  CHECK(memory != NULL && held->len < HELD);
  held->memory[held->len++] = memory;
  return memory;
}

static void let_go(held_t *held) {
  while (held->len > 0) free(held->memory[--held->len]);
}

static gatepost_str copy(held_t *held, const void *from, size_t len) {
  char *memory = hold(held, len);
  gatepost_str text;
  memcpy(memory, from, len);
  text.ptr = memory;
  text.len = len;
  return text;
}

/* A text of the bytes themselves, up to 255 of them. */
static gatepost_str raw(bytes_t *bytes, held_t *held) {
  size_t len = byte(bytes);
  gatepost_str text;
  if (len > bytes->left) len = bytes->left;
  text = copy(held, bytes->next, len);
  bytes->next += len;
  bytes->left -= len;
  return text;
}

/* One of the words that lead somewhere, bytes, no text, or a mistake. */
static gatepost_str text(bytes_t *bytes, held_t *held, const char *const *words, uint8_t count) {
  uint8_t choice = byte(bytes);
  gatepost_str none = GATEPOST_STR_INIT;
  if (choice < 192) return copy(held, words[choice % count], strlen(words[choice % count]));
  if (choice < 248) return raw(bytes, held);
  if (choice < 254) return none;
  none.len = choice;
  return none;
}

/* Reads every byte of a text that was handed out. */
static void touch(gatepost_str view) {
  volatile unsigned sum = 0;
  size_t i;
  CHECK(view.ptr != NULL || view.len == 0);
  for (i = 0; i < view.len; i++) sum += (unsigned char)view.ptr[i];
}

static void known(gatepost_code code) {
  CHECK(code <= GATEPOST_END && code >= GATEPOST_E_STALE); /* GATEPOST_E_INTERNAL is a bug */
  CHECK(!is(gatepost_code_name(code), "UNKNOWN_CODE"));
}

static void read_error(gatepost_error *error, gatepost_code code) {
  gatepost_error_info info = GATEPOST_ERROR_INFO_INIT;
  size_t i, len = gatepost_error_len(error);
  int errors = 0;
  known(code);
  for (i = 0; i < len; i++) {
    CHECK(gatepost_error_get(error, i, &info) == GATEPOST_OK);
    CHECK(info.level >= GATEPOST_NOTE && info.level <= GATEPOST_ERROR && info.message.len > 0 && info.reserved == 0);
    CHECK(strlen(info.display.ptr) == info.display.len && memchr(info.display.ptr, '\n', info.display.len) == NULL);
    touch(info.message);
    touch(info.source);
    touch(info.object);
    touch(info.field);
    errors += info.level == GATEPOST_ERROR;
  }
  CHECK(gatepost_error_get(error, len, &info) == (error == NULL ? GATEPOST_E_ARGUMENT : GATEPOST_END));
  CHECK((code < 0) == (errors > 0));
  gatepost_error_free(error);
}

static const char *const manifests[] = {
    GATEWAY SERVICE("v1") SERVICE("v2"),
    ROUTE("cart",
          "  - name: canary\n"
          "    matches: [{path: {value: /cart}, headers: [{name: X-Canary, value: \"1\"}]}]\n"
          "    backendRefs: [{name: v2, port: 8080}]\n"
          "  - matches: [{path: {value: /none}}, {path: {value: /cart}}, {path: {type: RegularExpression, value: \"/i/[0-9]+\"}}]\n"
          "    timeouts: {request: 1500ms, backendRequest: 1s}\n"
          "    backendRefs: [{name: v1, port: 8080, weight: 3}, {name: v2, port: 8080}, {name: gone, port: 1, weight: 2}]\n"),
    ROUTE("work",
          "  - matches: [{path: {value: /cors}}]\n"
          "    filters: [{type: CORS, cors: {allowOrigins: [\"https://a.example.com\"], allowMethods: [GET, PUT], allowHeaders: [x-a], exposeHeaders: [x-b], allowCredentials: true}}]\n"
          "    backendRefs: [{name: v1, port: 8080}]\n"
          "  - matches: [{path: {value: /redirect}}]\n"
          "    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, port: 8443, statusCode: 301, path: {type: ReplacePrefixMatch, replacePrefixMatch: /to}}}]\n"
          "  - matches: [{path: {value: /rewrite}}]\n"
          "    filters:\n"
          "    - {type: URLRewrite, urlRewrite: {hostname: inner.example.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}\n"
          "    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-a, value: b}], add: [{name: x-c, value: d}], remove: [x-e]}}\n"
          "    - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: x-f, value: g}]}}\n"
          "    - {type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 8080}, percent: 50}}\n"
          "    backendRefs:\n"
          "    - {name: v1, port: 8080, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x-h]}}]}\n"),
    "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"v1\",\"namespace\":\"shop\"},\"spec\":{\"ports\":[{\"port\":8080}]}}]}",
};
static const char *const names[] = {"shop", "gw", "cart", "work", "v1", "", "HTTPRoute", "Service", "Gateway", "2026-01-31T12:00:00Z"};
static const char *const targets[] = {"/cart", "/cart/7?x=1", "/a/../%63art//7?%2e", "/none", "/i/42", "/cors", "/redirect/x?y", "/rewrite/x",
                                      "/rewrite", "*", "http://shop.example.com:80/cart", "/cart/%2e%2e%2fsecret", "", "cart", "/"};
static const char *const hosts[] = {"shop.example.com", "SHOP.example.com:80", "other.example.com", "", "[::1]:80", "shop.example.com."};
static const char *const methods[] = {"GET", "OPTIONS", "PUT", "CONNECT", "", "get"};
static const char *const fields[] = {"x-canary", "X-Canary", "host", "origin", "access-control-request-method", "x-a", ":path"};
static const char *const values[] = {"1", "shop.example.com", "https://a.example.com", "PUT", "", "\r\n"};
static const char *const policies[] = {"", "encodedSlash=keep", "encodedSlash=keep,mergeSlashes=false", "strict", "a=b"};
#define TEXT(bytes, held, words) text(bytes, held, words, (uint8_t)(sizeof words / sizeof words[0]))

/* Everything that a program holds; each may be NULL. */
typedef struct {
  gatepost_resources *resources;
  gatepost_resolution *resolution;
  gatepost_table *table;
  gatepost_slot *slot;
  gatepost_reader *reader;
  gatepost_scratch *scratch;
  gatepost_match_id id;
  int attached;
} world_t;

static int destroyed;

static void destroy(void *data) {
  destroyed++;
  free(data);
}

/* `size` of a struct: as it is, or a mistake. */
static uint32_t sized(bytes_t *bytes, size_t size) {
  uint8_t choice = byte(bytes);
  return choice < 250 ? (uint32_t)size : (uint32_t)number(bytes);
}

/* The program's header table, behind the callback. */
typedef struct {
  const gatepost_header *headers;
  size_t len;
  int endless;
} table_of_fields_t;

static int one_field(void *ctx, gatepost_str name, size_t index, gatepost_str *value) {
  const table_of_fields_t *all = (const table_of_fields_t *)ctx;
  size_t i;
  touch(name);
  for (i = 0; i < all->len; i++) {
    if (all->headers[i].name.len != name.len || name.len == 0 || memcmp(all->headers[i].name.ptr, name.ptr, name.len) != 0) continue;
    if (index-- == 0 || all->endless) {
      *value = all->headers[i].value;
      return 1;
    }
  }
  return 0;
}

/* How an edit is taken: after some the host is out of memory. */
typedef struct {
  uint32_t left;
  uint32_t seen;
} edits_t;

static int edit(void *ctx, uint32_t op, gatepost_str name, gatepost_str value) {
  edits_t *edits = (edits_t *)ctx;
  CHECK(op >= GATEPOST_HEADER_SET && op <= GATEPOST_HEADER_REMOVE && name.len > 0);
  CHECK(op != GATEPOST_HEADER_REMOVE || value.len == 0);
  touch(name);
  touch(value);
  edits->seen++;
  return edits->left-- == 0;
}

static void request_of(bytes_t *bytes, held_t *held, gatepost_request *request, table_of_fields_t *table) {
  gatepost_header headers[6];
  size_t i, len = byte(bytes) % 6;
  uint8_t choice;
  gatepost_request empty = GATEPOST_REQUEST_INIT;
  *request = empty;
  request->size = sized(bytes, sizeof *request);
  request->method = TEXT(bytes, held, methods);
  request->target = TEXT(bytes, held, targets);
  request->host = TEXT(bytes, held, hosts);
  choice = byte(bytes);
  request->port = choice < 128 ? 80 : (uint16_t)(choice - 128);
  choice = byte(bytes);
  if (choice & 1) request->authority = TEXT(bytes, held, hosts);
  if (choice & 2) request->sni = TEXT(bytes, held, hosts);
  if (choice & 4) request->flags = choice >> 6;
  for (i = 0; i < len; i++) {
    headers[i].name = TEXT(bytes, held, fields);
    headers[i].value = TEXT(bytes, held, values);
  }
  request->headers = (const gatepost_header *)(const void *)copy(held, headers, len * sizeof headers[0]).ptr;
  request->headers_len = len;
  if (choice & 8) {
    table->headers = request->headers;
    table->len = len;
    table->endless = choice & 16;
    request->header = one_field;
    request->header_ctx = table;
  }
  if (choice & 32) request->headers = NULL;
}

static void backend_holds(const world_t *world, const gatepost_backend *backend, gatepost_code code) {
  gatepost_memory memory = GATEPOST_MEMORY_INIT;
  known(code);
  if (code == GATEPOST_NO_BACKEND) touch(backend->reason);
  if (code != GATEPOST_OK) return;
  CHECK(gatepost_table_memory(world->table, &memory) == GATEPOST_OK);
  CHECK(backend->id < memory.backends_len || (backend->id == GATEPOST_NO_ID && backend->reason.len > 0));
  touch(backend->kind);
  touch(backend->ns);
  touch(backend->name);
  touch(backend->tls_hostname);
  touch(backend->reason);
}

static void finding(world_t *world, bytes_t *bytes, held_t *held) {
  gatepost_match match = GATEPOST_MATCH_INIT, again = GATEPOST_MATCH_INIT;
  gatepost_memory memory = GATEPOST_MEMORY_INIT;
  gatepost_request request;
  table_of_fields_t table;
  gatepost_code code;
  request_of(bytes, held, &request, &table);
  match.size = sized(bytes, sizeof match);
  code = gatepost_find(world->table, &request, world->scratch, &match);
  known(code);
  if (code > 0) CHECK(match.reason.len > 0 && match.id.table == 0);
  if (code != GATEPOST_OK) return;
  world->id = match.id;
  CHECK(gatepost_table_memory(world->table, &memory) == GATEPOST_OK);
  CHECK(match.id.table == gatepost_table_generation(world->table) && match.rule_id < memory.rules_len);
  CHECK(match.route_kind.len > 0 && match.route_name.len > 0 && match.target.len > 0);
  touch(match.route_namespace);
  touch(match.rule_name);
  touch(match.listener_name);
  touch(match.target);
  touch(match.path);
  touch(match.query);
  touch(match.host);
  touch(match.authority);
  CHECK((match.authority.len > 0) == ((match.work & GATEPOST_WORK_REWRITE_HOST) != 0));
  if (match.work & GATEPOST_WORK_REWRITE_HOST) return;
  /* What is forwarded is canonical, and goes the same way. */
  request.target = copy(held, match.target.ptr, match.target.len);
  code = gatepost_find(world->table, &request, world->scratch, &again);
  CHECK(code == GATEPOST_OK && again.rule_id == match.rule_id && !(again.work & GATEPOST_WORK_REWRITE_TARGET));
  CHECK(again.target.len == request.target.len && memcmp(again.target.ptr, request.target.ptr, request.target.len) == 0);
}

static void picking(world_t *world, bytes_t *bytes, held_t *held) {
  gatepost_backend backend = GATEPOST_BACKEND_INIT;
  gatepost_match match = GATEPOST_MATCH_INIT;
  uint64_t ticket = number(bytes);
  uint32_t tried[20];
  size_t i, len;
  gatepost_code code = gatepost_resume(world->table, world->id, &match);
  known(code);
  backend.size = sized(bytes, sizeof backend);
  switch (byte(bytes) % 6) {
    case 0:
      code = gatepost_pick(world->table, world->id, ticket, &backend);
      CHECK(code != GATEPOST_OK || (backend.index < match.backends_len && backend.weight > 0 && backend.id != GATEPOST_NO_ID));
      break;
    case 1:
      code = gatepost_pick_key(world->table, world->id, TEXT(bytes, held, names), &backend);
      CHECK(code != GATEPOST_OK || (backend.index < match.backends_len && backend.weight > 0));
      break;
    case 2:
      len = byte(bytes) % 20;
      for (i = 0; i < len; i++) tried[i] = byte(bytes) < 240 ? (uint32_t)(i % 4) : (uint32_t)number(bytes);
      code = gatepost_pick_other(world->table, world->id, ticket, byte(bytes) < 250 ? tried : NULL, len, &backend);
      for (i = 0; i < len && code == GATEPOST_OK; i++) CHECK(backend.index != tried[i]);
      break;
    case 3:
      code = gatepost_match_backend(world->table, world->id, (uint32_t)ticket, &backend);
      CHECK((code != GATEPOST_OK && code != GATEPOST_END) || (code == GATEPOST_OK) == ((uint32_t)ticket < match.backends_len));
      break;
    case 4:
      code = gatepost_table_backend(world->table, (uint32_t)ticket, &backend);
      break;
    default:
      code = gatepost_mirror(world->table, world->id, byte(bytes) % 2 ? GATEPOST_RULE : (uint32_t)ticket, byte(bytes), ticket, &backend);
  }
  backend_holds(world, &backend, code);
}

static void edits(world_t *world, bytes_t *bytes, held_t *held) {
  gatepost_request request;
  table_of_fields_t table;
  edits_t seen = {0, 0};
  uint32_t index = byte(bytes) % 4, status = 0;
  const gatepost_request *asked = byte(bytes) < 16 ? NULL : &request;
  gatepost_edit_fn callback = byte(bytes) < 8 ? NULL : edit;
  gatepost_code code;
  request_of(bytes, held, &request, &table);
  seen.left = byte(bytes);
  if (index == 3) index = GATEPOST_RULE;
  switch (byte(bytes) % 3) {
    case 0: code = gatepost_request_headers(world->table, world->id, index, callback, &seen); break;
    case 1: code = gatepost_response_headers(world->table, world->id, index, asked, callback, &seen); break;
    default:
      code = gatepost_preflight(world->table, world->id, asked, world->scratch, callback, &seen, &status);
      CHECK(code != GATEPOST_OK || status == 0 || (status >= 200 && status < 500));
  }
  known(code);
  CHECK(callback != NULL || code != GATEPOST_OK || seen.seen == 0);
}

/* A buffer that is too small is told how much it takes, and then that is enough. */
static void writing(world_t *world, bytes_t *bytes, held_t *held) {
  gatepost_request request;
  table_of_fields_t table;
  int redirect = byte(bytes) % 2, tries;
  uint32_t status = 0, index = byte(bytes) % 2 ? GATEPOST_RULE : byte(bytes) % 4;
  size_t len = 0, capacity = byte(bytes);
  request_of(bytes, held, &request, &table);
  touch(gatepost_rewrite_host(world->table, world->id, index));
  for (tries = 0; tries < 2; tries++) {
    char *buffer = hold(held, capacity);
    gatepost_code code =
        redirect ? gatepost_redirect(world->table, world->id, &request, world->scratch, buffer, capacity, &len, &status)
                 : gatepost_rewrite_target(world->table, world->id, index, &request, world->scratch, buffer, capacity, &len);
    known(code);
    if (code == GATEPOST_OK) {
      gatepost_str written = {buffer, len};
      CHECK(len > 0 && len <= capacity && (!redirect || (status >= 300 && status < 400)));
      CHECK(memchr(buffer, '\r', len) == NULL && memchr(buffer, '\n', len) == NULL);
      touch(written);
    }
    if (code != GATEPOST_E_LIMIT || len <= capacity) return; /* done, or a limit of its own */
    CHECK(tries == 0);
    capacity = len;
  }
}

static void loading(world_t *world, bytes_t *bytes, held_t *held) {
  gatepost_options options = GATEPOST_OPTIONS_INIT;
  gatepost_error *error = NULL;
  gatepost_text *json = NULL;
  gatepost_resolution *resolution = NULL;
  gatepost_table *table = NULL;
  gatepost_str kind, ns, name;
  gatepost_code code;
  switch (byte(bytes) % 5) {
    case 0:
      name = TEXT(bytes, held, names);
      ns = TEXT(bytes, held, manifests);
      code = gatepost_resources_add(world->resources, name, ns, byte(bytes) < 224 ? byte(bytes) % 4 : byte(bytes), &error);
      break;
    case 1:
      kind = TEXT(bytes, held, names);
      ns = TEXT(bytes, held, names);
      name = TEXT(bytes, held, names);
      code = gatepost_resources_remove(world->resources, kind, ns, name, &error);
      break;
    case 2:
      options.size = sized(bytes, sizeof options);
      options.carries_out = byte(bytes) < 224 ? ALL_WORK : (uint32_t)number(bytes);
      if (byte(bytes) > 240) options.controller_name = TEXT(bytes, held, names);
      options.path_policy = TEXT(bytes, held, policies);
      options.hash_key_low = 1;
      code = gatepost_resolve(world->resources, byte(bytes) < 16 ? NULL : &options, &resolution, &error);
      CHECK((code == GATEPOST_OK) == (resolution != NULL));
      if (resolution != NULL) {
        gatepost_resolution_free(world->resolution);
        world->resolution = resolution;
      }
      break;
    case 3:
      ns = TEXT(bytes, held, names);
      name = TEXT(bytes, held, names);
      code = gatepost_resolution_table(world->resolution, ns, name, &table, &error);
      CHECK((code == GATEPOST_OK) == (table != NULL));
      if (table != NULL) {
        gatepost_table_release(world->table);
        world->table = table;
      }
      break;
    default:
      code = gatepost_resolution_statuses(world->resolution, TEXT(bytes, held, names), &json, &error);
      CHECK((code == GATEPOST_OK) == (json != NULL));
      touch(gatepost_text_get(json));
      CHECK(json == NULL || strlen(gatepost_text_get(json).ptr) == gatepost_text_get(json).len);
      gatepost_text_free(json);
  }
  read_error(error, code);
}

static void sharing(world_t *world, bytes_t *bytes) {
  gatepost_memory memory = GATEPOST_MEMORY_INIT;
  gatepost_table *table;
  void *data;
  gatepost_code code;
  switch (byte(bytes) % 7) {
    case 0:
      gatepost_slot_free(world->slot);
      world->slot = gatepost_slot_new(world->table);
      CHECK((world->slot == NULL) == (world->table == NULL));
      break;
    case 1:
      gatepost_reader_free(world->reader);
      world->reader = gatepost_reader_new(world->slot);
      break;
    case 2:
      code = gatepost_slot_publish(world->slot, world->table);
      CHECK(code == (world->slot == NULL || world->table == NULL ? GATEPOST_E_ARGUMENT : GATEPOST_OK));
      break;
    case 3:
      table = gatepost_table_retain(gatepost_reader_table(world->reader));
      gatepost_table_release(world->table);
      world->table = table;
      break;
    case 4:
      table = gatepost_slot_table(world->slot);
      CHECK((table == NULL) == (world->slot == NULL));
      gatepost_table_release(table);
      break;
    case 5:
      data = malloc(8);
      CHECK(data != NULL);
      code = gatepost_table_attach(world->table, data, destroy);
      if (code == GATEPOST_OK) {
        world->attached++;
        CHECK(gatepost_table_attached(world->table) == data);
      } else {
        CHECK(code == GATEPOST_E_ARGUMENT);
        free(data);
      }
      break;
    default:
      memory.size = sized(bytes, sizeof memory);
      known(gatepost_table_memory(world->table, &memory));
  }
}

static void ending(world_t *world, bytes_t *bytes) {
  switch (byte(bytes) % 8) {
    case 0:
      gatepost_resources_free(world->resources);
      world->resources = NULL;
      break;
    case 1:
      gatepost_resolution_free(world->resolution);
      world->resolution = NULL;
      break;
    case 2:
      gatepost_table_release(world->table);
      world->table = NULL;
      break;
    case 3:
      gatepost_slot_free(world->slot);
      world->slot = NULL;
      break;
    case 4:
      gatepost_reader_free(world->reader);
      world->reader = NULL;
      break;
    case 5:
      gatepost_scratch_free(world->scratch);
      world->scratch = byte(bytes) < 64 ? NULL : gatepost_scratch_new(world->table);
      break;
    case 6:
      world->id.table = number(bytes);
      world->id.matched = number(bytes);
      break;
    default:
      gatepost_resources_free(world->resources);
      world->resources = gatepost_resources_new();
  }
}

/* A world to begin with, so that most programs get somewhere. */
static void begin(world_t *world) {
  gatepost_options options = GATEPOST_OPTIONS_INIT;
  gatepost_str any = GATEPOST_STR_INIT;
  size_t i;
  options.carries_out = ALL_WORK;
  options.hash_key_low = 1;
  world->resources = gatepost_resources_new();
  for (i = 0; i < 3; i++) {
    CHECK(gatepost_resources_add(world->resources, str("test.yaml"), str(manifests[i]), 0, NULL) == GATEPOST_OK);
  }
  CHECK(gatepost_resolve(world->resources, &options, &world->resolution, NULL) == GATEPOST_OK);
  CHECK(gatepost_resolution_table(world->resolution, any, any, &world->table, NULL) == GATEPOST_OK);
  world->scratch = gatepost_scratch_new(world->table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  bytes_t bytes;
  held_t held;
  world_t world;
  int steps;
  memset(&world, 0, sizeof world);
  bytes.next = data;
  bytes.left = size;
  held.len = 0;
  destroyed = 0;
  if (byte(&bytes) < 224) begin(&world);
  for (steps = 0; steps < 64 && bytes.left > 0; steps++) {
    uint8_t step = byte(&bytes) % 16;
    if (step < 5) {
      finding(&world, &bytes, &held);
    } else if (step < 8) {
      picking(&world, &bytes, &held);
    } else if (step < 10) {
      edits(&world, &bytes, &held);
    } else if (step < 12) {
      writing(&world, &bytes, &held);
    } else if (step < 14) {
      loading(&world, &bytes, &held);
    } else if (step < 15) {
      sharing(&world, &bytes);
    } else {
      ending(&world, &bytes);
    }
    let_go(&held);
  }
  gatepost_reader_free(world.reader);
  gatepost_slot_free(world.slot);
  gatepost_table_release(world.table);
  gatepost_resolution_free(world.resolution);
  gatepost_resources_free(world.resources);
  gatepost_scratch_free(world.scratch);
  CHECK(destroyed == world.attached);
  return 0;
}
