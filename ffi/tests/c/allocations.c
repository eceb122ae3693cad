/* The request path allocates nothing: malloc is counted while requests are found and backends picked, callbacks included. */
#define _GNU_SOURCE
#include "check.h"

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static unsigned long allocations;

void *malloc(size_t size) {
  allocations++;
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  allocations++;
  return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
  allocations++;
  return __libc_realloc(old, size);
}
int posix_memalign(void **out, size_t alignment, size_t size) {
  allocations++;
  *out = __libc_memalign(alignment, size);
  return *out == NULL ? 12 : 0;
}
void *aligned_alloc(size_t alignment, size_t size) {
  allocations++;
  return __libc_memalign(alignment, size);
}

static int field(void *ctx, gatepost_str name, size_t index, gatepost_str *value) {
  (void)ctx;
  *value = str(is(name, "cookie") ? "a=1" : "yes");
  return index < 3;
}

static int edited(void *ctx, uint32_t op, gatepost_str name, gatepost_str value) {
  (void)op;
  (void)name;
  (void)value;
  ++*(unsigned long *)ctx;
  return 0;
}

int main(void) {
  gatepost_table *table = table_of(
      GATEWAY SERVICE("v1") SERVICE("v2")
      ROUTE("r",
            "  - matches:\n"
            "    - path: {type: RegularExpression, value: \"/items/[0-9]+\"}\n"
            "      headers: [{name: X-Flag, value: \"yes,yes,yes\"}, {name: Cookie, type: RegularExpression, value: \"(a=1(; )?)+\"}]\n"
            "      queryParams: [{name: q, value: \"a b\"}]\n"
            "    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: X-A, value: a}]}}]\n"
            "    backendRefs: [{name: v1, port: 8080}, {name: v2, port: 8080}]\n"
            "  - matches: [{path: {value: /}}]\n"
            "    backendRefs: [{name: v1, port: 8080}]\n"));
  gatepost_slot *slot = gatepost_slot_new(table);
  gatepost_reader *reader = gatepost_reader_new(slot);
  gatepost_scratch *scratch = gatepost_scratch_new(table);
  gatepost_request request = GATEPOST_REQUEST_INIT;
  gatepost_match match = GATEPOST_MATCH_INIT;
  gatepost_backend backend = GATEPOST_BACKEND_INIT;
  static const char *const targets[] = {"/items/7?q=a+b", "/a/%2e./items/77?q=a%20b", "/", "/items/x", "/items/7?q=b", "/%2f"};
  unsigned long before, edits = 0, hits[2] = {0, 0};
  uint32_t tried[1] = {0};
  int i;
  request.method = str("GET");
  request.host = str("SHOP.example.com.:80");
  request.sni = str("Shop.Example.com");
  request.header = field;
  /* Once for what is built on first use, per thread or per expression. */
  for (i = 0; i < 6; i++) {
    request.target = str(targets[i]);
    if (gatepost_find(table, &request, scratch, &match) != GATEPOST_OK) continue;
  }
  before = allocations;
  for (i = 0; i < 60000; i++) {
    const gatepost_table *newest = gatepost_reader_table(reader);
    gatepost_code code;
    request.target = str(targets[i % 6]);
    code = gatepost_find(newest, &request, scratch, &match);
    if (code != GATEPOST_OK) {
      CHECK(code == GATEPOST_BAD_REQUEST);
      continue;
    }
    hits[match.rule_index]++;
    CHECK(gatepost_pick(newest, match.id, (uint64_t)i * GATEPOST_TICKET_STEP, &backend) == GATEPOST_OK);
    CHECK(gatepost_pick_key(newest, match.id, request.target, &backend) == GATEPOST_OK);
    (void)!gatepost_pick_other(newest, match.id, 0, tried, 1, &backend);
    CHECK(gatepost_request_headers(newest, match.id, GATEPOST_RULE, edited, &edits) == GATEPOST_OK);
    CHECK(gatepost_resume(newest, match.id, &match) == GATEPOST_OK);
    gatepost_table_release(gatepost_table_retain(newest));
  }
  fprintf(stderr, "allocations: %lu in 60,000 requests\n", allocations - before);
  CHECK(hits[0] == 20000 && hits[1] == 30000 && edits == 20000);
  CHECK(before > 100 && allocations == before);
  gatepost_scratch_free(scratch);
  gatepost_reader_free(reader);
  gatepost_slot_free(slot);
  gatepost_table_release(table);
  return 0;
}
