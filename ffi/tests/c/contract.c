/* What the header promises: answers, places of errors, borrowed text, and that misuse which can be seen is refused. */
#include "check.h"

#define SHOP                                                                                                          \
  GATEWAY SERVICE("v1") SERVICE("v2")                                                                                 \
  ROUTE("cart",                                                                                                       \
        "  - name: canary\n"                                                                                            \
        "    matches: [{path: {value: /cart}, headers: [{name: X-Canary, value: \"1\"}]}]\n"                          \
        "    backendRefs: [{name: v2, port: 8080}]\n"                                                                 \
        "  - matches: [{path: {value: /none}}, {path: {value: /cart}}]\n"                                             \
        "    timeouts: {request: 1500ms, backendRequest: 1s}\n"                                                       \
        "    backendRefs: [{name: v1, port: 8080, weight: 3}, {name: v2, port: 8080, weight: 1}, {name: gone, port: 1, weight: 0}]\n" \
        "  - matches: [{path: {value: /empty}}]\n"                                                                    \
        "  - matches: [{path: {value: /gone}}]\n"                                                                     \
        "    backendRefs: [{name: gone, port: 1}]\n")

static gatepost_request request_of(const char *method, const char *target) {
  gatepost_request request = GATEPOST_REQUEST_INIT;
  request.method = str(method);
  request.host = str("SHOP.example.com:80");
  request.target = str(target);
  return request;
}

static gatepost_code find(const gatepost_table *table, gatepost_scratch *scratch, const char *target, gatepost_match *match) {
  gatepost_request request = request_of("GET", target);
  return gatepost_find(table, &request, scratch, match);
}

static void versions(void) {
  char numbers[32];
  CHECK(gatepost_abi() == GATEPOST_ABI);
  CHECK(gatepost_version_number() ==
        GATEPOST_VERSION_MAJOR * 1000000 + GATEPOST_VERSION_MINOR * 1000 + GATEPOST_VERSION_PATCH);
  snprintf(numbers, sizeof numbers, "%d.%d.%d", GATEPOST_VERSION_MAJOR, GATEPOST_VERSION_MINOR, GATEPOST_VERSION_PATCH);
  CHECK(strncmp(gatepost_version(), numbers, strlen(numbers)) == 0);
  CHECK(is(gatepost_code_name(GATEPOST_OK), "OK"));
  CHECK(is(gatepost_code_name(GATEPOST_NOT_FOUND), "NOT_FOUND"));
  CHECK(strcmp(gatepost_code_name(GATEPOST_E_STALE).ptr, "E_STALE") == 0);
  CHECK(is(gatepost_code_name(12345), "UNKNOWN_CODE"));
  CHECK(gatepost_code_status(GATEPOST_NOT_FOUND) == 404 && gatepost_code_status(GATEPOST_BAD_REQUEST) == 400);
  CHECK(gatepost_code_status(GATEPOST_MISDIRECTED) == 421 && gatepost_code_status(GATEPOST_NOT_IMPLEMENTED) == 501);
  CHECK(gatepost_code_status(GATEPOST_NO_BACKEND) == 500 && gatepost_code_status(-77) == 500);
}

static void finding(void) {
  gatepost_table *table = table_of(SHOP);
  gatepost_scratch *scratch = gatepost_scratch_new(table);
  gatepost_match match = GATEPOST_MATCH_INIT;
  gatepost_request request = request_of("GET", "/cart/7?x=1");
  gatepost_header headers[3];
  gatepost_code code;

  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK);
  CHECK(is(match.route_kind, "HTTPRoute") && is(match.route_namespace, "shop") && is(match.route_name, "cart"));
  CHECK(match.rule_index == 1 && match.match_index == 1 && is(match.rule_name, "") && is(match.listener_name, "http"));
  CHECK(match.backends_len == 3 && match.work == 0 && match.request_timeout_ms == 1500 && match.backend_timeout_ms == 1000);
  CHECK(is(match.host, "shop.example.com") && is(match.path, "/cart/7") && is(match.query, "x=1"));
  /* A canonical target is not copied. */
  CHECK(match.target.ptr == request.target.ptr && match.target.len == request.target.len);

  /* The header fields as an array. */
  headers[0].name = str("accept");
  headers[0].value = str("*/*");
  headers[1].name = str("x-CANARY");
  headers[1].value = str("1");
  headers[2].name = str("Host");
  headers[2].value = str("shop.example.com");
  request.headers = headers;
  request.headers_len = 2;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK);
  CHECK(match.rule_index == 0 && is(match.rule_name, "canary"));
  /* The Host field among them. */
  request.host.ptr = NULL;
  request.host.len = 0;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_BAD_REQUEST);
  CHECK(is(match.reason, "the request has no Host field") && match.id.table == 0 && match.target.ptr == NULL);
  request.headers_len = 3;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK);
  headers[0] = headers[2];
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_BAD_REQUEST);
  CHECK(is(match.reason, "the request has more than one Host field"));

  /* The canonical target is handed back, with the bit. */
  CHECK(find(table, scratch, "/a/../%63art//7?%2e", &match) == GATEPOST_OK);
  CHECK(match.work == GATEPOST_WORK_REWRITE_TARGET && is(match.target, "/cart/7?%2e") && is(match.path, "/cart/7"));
  CHECK(find(table, scratch, "http://shop.example.com:80/cart", &match) == GATEPOST_OK);
  CHECK(match.work == (GATEPOST_WORK_REWRITE_TARGET | GATEPOST_WORK_REWRITE_HOST));
  CHECK(is(match.target, "/cart") && is(match.authority, "shop.example.com:80") && match.query.ptr == NULL);

  /* Refusals, each with its reason. */
  code = find(table, scratch, "/cart/%2e%2e%2fsecret", &match);
  CHECK(code == GATEPOST_BAD_REQUEST && is(match.reason, "the path has an encoded slash"));
  CHECK(find(table, scratch, "/cart/%zz", &match) == GATEPOST_BAD_REQUEST);
  CHECK(find(table, scratch, "cart", &match) == GATEPOST_BAD_REQUEST);
  CHECK(find(table, scratch, "/other", &match) == GATEPOST_NOT_FOUND && match.reason.len > 0);
  request = request_of("CONNECT", "shop.example.com:443");
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_NOT_IMPLEMENTED);
  request = request_of("GET", "/cart");
  request.authority = str("other.example.com");
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_NOT_FOUND);
  request.authority = str("shop.example.com");
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK && match.work == 0);
  request = request_of("GET", "/cart");
  request.host.ptr = NULL;
  request.host.len = 0;
  request.flags = GATEPOST_HOST_OPTIONAL;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_NOT_FOUND);
  request = request_of("GET", "/cart");
  request.port = 81;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_NOT_FOUND);
  request.port = 80;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK);

  gatepost_scratch_free(scratch);
  gatepost_table_release(table);
}

/* A certificate for a.example.com and b.example.com with its key, made for this test and used nowhere else. */
#define SECRET \
  "apiVersion: v1\n" \
  "kind: Secret\n" \
  "metadata: {name: c, namespace: shop}\n" \
  "type: kubernetes.io/tls\n" \
  "stringData:\n" \
  "  tls.crt: |\n" \
  "    -----BEGIN CERTIFICATE-----\n" \
  "    MIIBrTCCAVKgAwIBAgIUQL4ceg6BB8x1ty8Uo3CT3GDCOh8wCgYIKoZIzj0EAwIw\n" \
  "    FjEUMBIGA1UEAwwLZXhhbXBsZS5jb20wIBcNMjYxMTI1MTYzMjE0WhgPMjEyNjEx\n" \
  "    MDExNjMyMTRaMBYxFDASBgNVBAMMC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYI\n" \
  "    KoZIzj0DAQcDQgAE1ooLGqa53aLt8Hbr4/Kv2G3yEIDI3Thul44f47TjZJBhqELr\n" \
  "    9D+Prm+3GT88UyZ6ApRWz3+Ilbuu7u/HsZHhu6N8MHowHQYDVR0OBBYEFDaVKDDh\n" \
  "    0+SWpfOksxwxWD9oiZeMMB8GA1UdIwQYMBaAFDaVKDDh0+SWpfOksxwxWD9oiZeM\n" \
  "    MA8GA1UdEwEB/wQFMAMBAf8wJwYDVR0RBCAwHoINYS5leGFtcGxlLmNvbYINYi5l\n" \
  "    eGFtcGxlLmNvbTAKBggqhkjOPQQDAgNJADBGAiEAysu/voGZA8eTpmu+k4r1Lh+T\n" \
  "    G4YJxXWz7rVGMUE92MoCIQDYDZ5QFczgGYzUJY1NagInYraPO609vcdtJJl0C9TE\n" \
  "    +Q==\n" \
  "    -----END CERTIFICATE-----\n" \
  "  tls.key: |\n" \
  "    -----BEGIN PRIVATE KEY-----\n" \
  "    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/Ygy+SVw3mab/nWb\n" \
  "    9cSq2HcOlreFho1RXCZTtU4vRwOhRANCAATWigsaprndou3wduvj8q/YbfIQgMjd\n" \
  "    OG6Xjh/jtONkkGGoQuv0P4+ub7cZPzxTJnoClFbPf4iVu67u78exkeG7\n" \
  "    -----END PRIVATE KEY-----\n" \
  "---\n"

static gatepost_code over_tls(const gatepost_table *table, gatepost_scratch *scratch, const char *sni, const char *host) {
  gatepost_match match = GATEPOST_MATCH_INIT;
  gatepost_request request = request_of("GET", "/");
  request.host = str(host);
  if (sni != NULL) request.sni = str(sni);
  return gatepost_find(table, &request, scratch, &match);
}

static void misdirected(void) {
  gatepost_table *table = table_of(
      SECRET
      "apiVersion: gateway.networking.k8s.io/v1\n"
      "kind: Gateway\n"
      "metadata: {name: gw, namespace: shop}\n"
      "spec:\n"
      "  gatewayClassName: gatepost\n"
      "  listeners:\n"
      "  - {name: a, port: 443, protocol: HTTPS, hostname: a.example.com, tls: {certificateRefs: [{name: c}]}}\n"
      "  - {name: b, port: 443, protocol: HTTPS, hostname: b.example.com, tls: {certificateRefs: [{name: c}]}}\n"
      "---\n"
      "apiVersion: gateway.networking.k8s.io/v1\n"
      "kind: HTTPRoute\n"
      "metadata: {name: r, namespace: shop}\n"
      "spec: {parentRefs: [{name: gw}], rules: [{}]}\n");
  gatepost_scratch *scratch = gatepost_scratch_new(table);
  char longest[400];
  CHECK(over_tls(table, scratch, "a.example.com", "a.example.com") == GATEPOST_OK);
  CHECK(over_tls(table, scratch, "A.Example.COM", "a.example.com") == GATEPOST_OK);
  CHECK(over_tls(table, scratch, "a.example.com", "b.example.com") == GATEPOST_MISDIRECTED);
  CHECK(over_tls(table, scratch, NULL, "b.example.com") == GATEPOST_MISDIRECTED);
  CHECK(over_tls(table, scratch, "\xff\xfe", "b.example.com") == GATEPOST_MISDIRECTED);
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  CHECK(over_tls(table, scratch, longest, "b.example.com") == GATEPOST_MISDIRECTED);
  CHECK(over_tls(table, scratch, "a.example.com", "c.example.com") == GATEPOST_NOT_FOUND);
  gatepost_scratch_free(scratch);
  gatepost_table_release(table);
}

/* Statuses are JSON, and say what does not resolve. */
static void statuses(void) {
  gatepost_resources *resources = gatepost_resources_new();
  gatepost_resolution *resolution = NULL;
  gatepost_text *json = NULL;
  gatepost_error *error = NULL;
  const char *text = GATEWAY ROUTE("r", "  - backendRefs: [{name: gone, port: 1}]\n");
  CHECK(gatepost_resources_add(resources, str("t"), str(text), 0, NULL) == GATEPOST_OK);
  CHECK(gatepost_resolve(resources, NULL, &resolution, NULL) == GATEPOST_OK);
  CHECK(gatepost_resolution_statuses(resolution, str("2026-01-31T12:00:00Z"), &json, NULL) == GATEPOST_OK);
  CHECK(strstr(gatepost_text_get(json).ptr, "\"BackendNotFound\"") != NULL);
  CHECK(strstr(gatepost_text_get(json).ptr, "\"2026-01-31T12:00:00Z\"") != NULL);
  CHECK(strlen(gatepost_text_get(json).ptr) == gatepost_text_get(json).len);
  gatepost_text_free(json);
  json = NULL;
  CHECK(gatepost_resolution_statuses(resolution, str("yesterday"), &json, &error) == GATEPOST_E_ARGUMENT && json == NULL);
  CHECK(gatepost_error_len(error) == 1);
  gatepost_error_free(error);
  gatepost_resolution_free(resolution);
  gatepost_resources_free(resources);
}

/* A header table of the host's, with counters of how it was asked. */
typedef struct {
  int asked;
  int endless;
} fields_t;

static int field(void *ctx, gatepost_str name, size_t index, gatepost_str *value) {
  fields_t *fields = (fields_t *)ctx;
  fields->asked++;
  if (is(name, "host")) {
    *value = str("shop.example.com");
    return index < 1;
  }
  CHECK(is(name, "x-canary"));
  *value = str("1");
  return fields->endless || index < 1;
}

static int wild(void *ctx, gatepost_str name, size_t index, gatepost_str *value) {
  (void)ctx;
  (void)name;
  value->ptr = NULL;
  value->len = 7;
  return index < 1;
}

static void callbacks(void) {
  gatepost_table *table = table_of(SHOP);
  gatepost_scratch *scratch = gatepost_scratch_new(NULL);
  gatepost_match match = GATEPOST_MATCH_INIT;
  gatepost_request request = request_of("GET", "/cart");
  fields_t fields = {0, 0};
  request.header = field;
  request.header_ctx = &fields;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK && match.rule_index == 0);
  CHECK(fields.asked == 2); /* one value, and that there is no second */
  fields.asked = 0;
  request.target = str("/none");
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK && match.rule_index == 1);
  CHECK(fields.asked == 0); /* no candidate asks for a field */
  request.host.ptr = NULL;
  request.host.len = 0;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK && fields.asked == 2);
  /* A callback that never comes to an end, and one that answers nonsense. */
  fields.endless = 1;
  request = request_of("GET", "/cart");
  request.header = field;
  request.header_ctx = &fields;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_E_LIMIT);
  request.header = wild;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_E_ARGUMENT);
  gatepost_scratch_free(scratch);
  gatepost_table_release(table);
}

static void picking(void) {
  gatepost_table *table = table_of(SHOP);
  gatepost_scratch *scratch = gatepost_scratch_new(table);
  gatepost_match match = GATEPOST_MATCH_INIT;
  gatepost_backend backend = GATEPOST_BACKEND_INIT;
  gatepost_backend named = GATEPOST_BACKEND_INIT;
  uint64_t ticket = 7;
  uint32_t tried[17] = {0};
  unsigned counts[3] = {0, 0, 0};
  uint32_t first;
  int i;

  CHECK(find(table, scratch, "/cart", &match) == GATEPOST_OK);
  for (i = 0; i < 1000; i++, ticket += GATEPOST_TICKET_STEP) {
    CHECK(gatepost_pick(table, match.id, ticket, &backend) == GATEPOST_OK && backend.index < 3);
    counts[backend.index]++;
  }
  CHECK(counts[0] >= 748 && counts[0] <= 752 && counts[2] == 0);
  CHECK(is(backend.kind, "Service") && is(backend.ns, "shop") && backend.port == 8080 && backend.tls == 0);
  CHECK(backend.protocol == GATEPOST_PROTOCOL_UNSPECIFIED && backend.work == 0);

  CHECK(gatepost_pick_key(table, match.id, str("session-1"), &backend) == GATEPOST_OK);
  first = backend.index;
  CHECK(gatepost_pick_key(table, match.id, str("session-1"), &backend) == GATEPOST_OK && backend.index == first);

  for (i = 0; i < 100; i++, ticket += GATEPOST_TICKET_STEP) {
    CHECK(gatepost_pick_other(table, match.id, ticket, tried, 1, &backend) == GATEPOST_OK && backend.index == 1);
  }
  tried[1] = 1;
  CHECK(gatepost_pick_other(table, match.id, 0, tried, 2, &backend) == GATEPOST_NO_BACKEND && backend.reason.len > 0);
  CHECK(gatepost_pick_other(table, match.id, 0, NULL, 0, &backend) == GATEPOST_OK);
  CHECK(gatepost_pick_other(table, match.id, 0, NULL, 1, &backend) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_pick_other(table, match.id, 0, tried, 17, &backend) == GATEPOST_E_LIMIT);
  tried[0] = 70000;
  CHECK(gatepost_pick_other(table, match.id, 0, tried, 1, &backend) == GATEPOST_E_ARGUMENT);

  /* By place and by number. */
  CHECK(gatepost_match_backend(table, match.id, 1, &backend) == GATEPOST_OK && backend.weight == 1 && is(backend.name, "v2"));
  CHECK(gatepost_table_backend(table, backend.id, &named) == GATEPOST_OK && is(named.name, "v2") && named.id == backend.id);
  CHECK(gatepost_match_backend(table, match.id, 2, &backend) == GATEPOST_OK && backend.id == GATEPOST_NO_ID);
  CHECK(backend.reason.len > 0);
  CHECK(gatepost_match_backend(table, match.id, 3, &backend) == GATEPOST_END);
  CHECK(gatepost_table_backend(table, 2, &named) == GATEPOST_END);

  CHECK(find(table, scratch, "/empty", &match) == GATEPOST_OK && match.backends_len == 0);
  CHECK(gatepost_pick(table, match.id, 0, &backend) == GATEPOST_NO_BACKEND && is(backend.reason, "the rule names no backend"));
  CHECK(find(table, scratch, "/gone", &match) == GATEPOST_OK);
  CHECK(gatepost_pick(table, match.id, 0, &backend) == GATEPOST_NO_BACKEND && backend.id == GATEPOST_NO_ID && backend.reason.len > 0);
  gatepost_scratch_free(scratch);
  gatepost_table_release(table);
}

static void phases(void) {
  gatepost_table *table = table_of(SHOP);
  gatepost_table *other = table_of(SHOP);
  gatepost_scratch *scratch = gatepost_scratch_new(table);
  gatepost_match match = GATEPOST_MATCH_INIT;
  gatepost_match later = GATEPOST_MATCH_INIT;
  gatepost_backend backend = GATEPOST_BACKEND_INIT;
  gatepost_match_id id;

  CHECK(find(table, scratch, "/cart", &match) == GATEPOST_OK);
  id = match.id;
  gatepost_scratch_free(scratch);
  CHECK(gatepost_resume(table, id, &later) == GATEPOST_OK);
  CHECK(later.rule_id == match.rule_id && later.match_index == 1 && is(later.route_name, "cart") && later.target.ptr == NULL);
  /* A table of another version. */
  CHECK(gatepost_resume(other, id, &later) == GATEPOST_E_STALE);
  CHECK(gatepost_pick(other, id, 0, &backend) == GATEPOST_E_STALE);
  id.matched = 0xffffffffffffffffu;
  CHECK(gatepost_resume(table, id, &later) == GATEPOST_E_STALE);
  id.table = 0;
  CHECK(gatepost_resume(table, id, &later) == GATEPOST_E_STALE);
  CHECK(gatepost_table_generation(table) < gatepost_table_generation(other));
  gatepost_table_release(other);
  gatepost_table_release(table);
}

static void errors(void) {
  gatepost_resources *resources = gatepost_resources_new();
  gatepost_error *error = NULL;
  gatepost_error_info info = GATEPOST_ERROR_INFO_INIT;
  gatepost_resolution *resolution = NULL;
  gatepost_table *table = NULL;
  const char *bad = GATEWAY ROUTE("cart", "  - matches: [{path: {type: Exact, value: cart}}]\n");

  CHECK(gatepost_resources_add(resources, str("bad.yaml"), str(bad), 0, &error) == GATEPOST_E_MANIFEST);
  CHECK(gatepost_error_len(error) == 1 && gatepost_error_get(error, 0, &info) == GATEPOST_OK);
  CHECK(info.level == GATEPOST_ERROR && info.code == GATEPOST_E_MANIFEST);
  CHECK(is(info.source, "bad.yaml") && is(info.object, "HTTPRoute/shop/cart") && is(info.field, "spec.rules[0].matches[0].path"));
  CHECK(info.line == 13 && info.column == 22 && strstr(info.message.ptr, "absolute path") != NULL);
  CHECK(strncmp(info.display.ptr, "bad.yaml:13:", 12) == 0 && strlen(info.display.ptr) == info.display.len);
  CHECK(gatepost_error_get(error, 1, &info) == GATEPOST_END);
  gatepost_error_free(error);
  /* All or nothing, unless it is asked for what is sound. */
  CHECK(gatepost_resources_len(resources) == 0);
  CHECK(gatepost_resources_add(resources, str("bad.yaml"), str(bad), GATEPOST_ADD_SOUND, NULL) == GATEPOST_E_MANIFEST);
  CHECK(gatepost_resources_len(resources) == 1);
  /* Text that cannot be read. */
  CHECK(gatepost_resources_add(resources, str("cut.yaml"), str("a: [\n"), 0, &error) == GATEPOST_E_MANIFEST);
  CHECK(gatepost_error_get(error, 0, &info) == GATEPOST_OK && info.line == 2 && is(info.object, ""));
  gatepost_error_free(error);
  /* A warning is told, and does no harm. */
  CHECK(gatepost_resources_add(resources, str("odd.yaml"), str("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: odd, namespace: shop}\nspec: {rulez: []}\n"),
                               0, &error) == GATEPOST_OK);
  CHECK(gatepost_error_get(error, 0, &info) == GATEPOST_OK && info.level == GATEPOST_WARNING && info.code == 0 && info.line == 4);
  gatepost_error_free(error);
  CHECK(gatepost_resources_len(resources) == 2);
  CHECK(gatepost_resources_remove(resources, str("HTTPRoute"), str("shop"), str("odd"), &error) == GATEPOST_OK && error == NULL);
  CHECK(gatepost_resources_len(resources) == 1);
  CHECK(gatepost_resources_remove(resources, str("Ingress"), str(""), str("shop"), NULL) == GATEPOST_E_ARGUMENT);
  /* A Gateway that is not there is named, and those that are there too. */
  CHECK(gatepost_resolve(resources, NULL, &resolution, &error) == GATEPOST_OK && error == NULL);
  CHECK(gatepost_resolution_table(resolution, str("shop"), str("wg"), &table, &error) == GATEPOST_E_UNKNOWN && table == NULL);
  CHECK(gatepost_error_get(error, 0, &info) == GATEPOST_OK);
  CHECK(strstr(info.message.ptr, "shop/wg") != NULL && strstr(info.message.ptr, "shop/gw") != NULL);
  gatepost_error_free(error);
  /* One line, whatever was asked for. */
  CHECK(gatepost_resolution_table(resolution, str("a\nb"), str("\x1b[2J"), &table, &error) == GATEPOST_E_UNKNOWN);
  CHECK(gatepost_error_get(error, 0, &info) == GATEPOST_OK && strstr(info.message.ptr, "a\\nb/\\u{1b}[2J") != NULL);
  CHECK(strpbrk(info.display.ptr, "\n\x1b") == NULL);
  gatepost_error_free(error);
  gatepost_resolution_free(resolution);
  gatepost_resources_free(resources);
}

static int destroyed;

static void destroy(void *data) { destroyed += *(int *)data; }

static void tables(void) {
  gatepost_table *table = table_of(SHOP);
  gatepost_table *newer = table_of(SHOP);
  gatepost_table *held;
  gatepost_slot *slot = gatepost_slot_new(table);
  gatepost_reader *reader = gatepost_reader_new(slot);
  gatepost_memory memory = GATEPOST_MEMORY_INIT;
  int one = 1, two = 2;

  CHECK(gatepost_table_memory(table, &memory) == GATEPOST_OK);
  CHECK(memory.total == memory.texts + memory.hosts + memory.paths + memory.candidates + memory.patterns + memory.rules);
  CHECK(memory.total > 0 && memory.rules_len == 4 && memory.backends_len == 2);

  CHECK(gatepost_table_attached(table) == NULL);
  CHECK(gatepost_table_attach(table, &one, destroy) == GATEPOST_OK && gatepost_table_attached(table) == &one);
  CHECK(gatepost_table_attach(table, &two, destroy) == GATEPOST_E_ARGUMENT && gatepost_table_attached(table) == &one);

  CHECK(gatepost_reader_table(reader) == table);
  held = gatepost_slot_table(slot);
  CHECK(held == table);
  gatepost_table_release(table);
  CHECK(gatepost_slot_publish(slot, newer) == GATEPOST_OK);
  gatepost_table_release(newer);
  CHECK(destroyed == 0); /* the reader has it still, and so do we */
  CHECK(gatepost_reader_table(reader) == newer && destroyed == 0);
  table = gatepost_table_retain(held);
  CHECK(table == held);
  gatepost_table_release(held);
  CHECK(destroyed == 0);
  gatepost_table_release(table);
  CHECK(destroyed == 1);
  /* A reader outlives its slot. */
  gatepost_slot_free(slot);
  CHECK(gatepost_reader_table(reader) == newer);
  gatepost_reader_free(reader);
}

static int edited(void *ctx, uint32_t op, gatepost_str name, gatepost_str value) {
  char *log = (char *)ctx;
  size_t len = strlen(log);
  snprintf(log + len, 1024 - len, "%c%.*s=%.*s;", op == GATEPOST_HEADER_SET ? '=' : op == GATEPOST_HEADER_ADD ? '+' : '-',
           (int)name.len, name.ptr, (int)value.len, value.ptr);
  return 0;
}

static int full(void *ctx, uint32_t op, gatepost_str name, gatepost_str value) {
  (void)ctx;
  (void)op;
  (void)name;
  (void)value;
  return 1;
}

static void steps(void) {
  gatepost_table *table = table_of(
      GATEWAY SERVICE("v1") SERVICE("v2") SERVICE("shadow")
      ROUTE("steps",
            "  - matches: [{path: {value: /edit}}]\n"
            "    filters:\n"
            "    - type: RequestHeaderModifier\n"
            "      requestHeaderModifier: {add: [{name: X-A, value: a}], set: [{name: X-S, value: s}], remove: [X-R]}\n"
            "    - type: ResponseHeaderModifier\n"
            "      responseHeaderModifier: {set: [{name: X-Answer, value: rule}]}\n"
            "    - type: URLRewrite\n"
            "      urlRewrite: {hostname: inside.example.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}\n"
            "    - type: RequestMirror\n"
            "      requestMirror: {backendRef: {name: shadow, port: 8080}, percent: 50}\n"
            "    backendRefs:\n"
            "    - {name: v1, port: 8080}\n"
            "    - name: v2\n"
            "      port: 8080\n"
            "      filters:\n"
            "      - type: RequestHeaderModifier\n"
            "        requestHeaderModifier: {set: [{name: X-B, value: b}]}\n"
            "      - type: ResponseHeaderModifier\n"
            "        responseHeaderModifier: {remove: [X-Backend]}\n"
            "  - matches: [{path: {value: /move}}]\n"
            "    filters:\n"
            "    - type: RequestRedirect\n"
            "      requestRedirect: {scheme: https, statusCode: 308, path: {type: ReplaceFullPath, replaceFullPath: /moved}}\n"
            "  - matches: [{path: {value: /cors}}]\n"
            "    filters:\n"
            "    - {type: CORS, cors: {allowOrigins: [\"https://a.example.com\"], allowMethods: [PUT], maxAge: 7}}\n"
            "    backendRefs: [{name: v1, port: 8080}]\n"));
  gatepost_scratch *scratch = gatepost_scratch_new(table);
  gatepost_match match = GATEPOST_MATCH_INIT;
  gatepost_backend backend = GATEPOST_BACKEND_INIT;
  gatepost_request request = request_of("GET", "/edit/%41?q");
  gatepost_header headers[2];
  char log[1024] = "";
  char buffer[64];
  size_t len = 0;
  uint32_t status = 77;

  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK);
  CHECK(match.work == (GATEPOST_WORK_REWRITE_TARGET | GATEPOST_WORK_REQUEST_HEADERS | GATEPOST_WORK_RESPONSE_HEADERS |
                       GATEPOST_WORK_REWRITE | GATEPOST_WORK_MIRROR | GATEPOST_WORK_BACKEND));
  CHECK(gatepost_request_headers(table, match.id, GATEPOST_RULE, edited, log) == GATEPOST_OK);
  CHECK(strcmp(log, "-x-r=;=x-s=s;+x-a=a;") == 0);
  log[0] = 0;
  CHECK(gatepost_request_headers(table, match.id, 0, edited, log) == GATEPOST_OK && log[0] == 0);
  CHECK(gatepost_request_headers(table, match.id, 1, edited, log) == GATEPOST_OK && strcmp(log, "=x-b=b;") == 0);
  CHECK(gatepost_request_headers(table, match.id, 2, edited, log) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_request_headers(table, match.id, 1, full, NULL) == GATEPOST_E_LIMIT);
  CHECK(gatepost_request_headers(table, match.id, 1, NULL, NULL) == GATEPOST_E_ARGUMENT);
  log[0] = 0;
  CHECK(gatepost_response_headers(table, match.id, 1, NULL, edited, log) == GATEPOST_OK);
  CHECK(strcmp(log, "-x-backend=;=x-answer=rule;") == 0);

  CHECK(gatepost_rewrite_target(table, match.id, GATEPOST_RULE, &request, scratch, NULL, 0, &len) == GATEPOST_E_LIMIT && len == 8);
  CHECK(gatepost_rewrite_target(table, match.id, 1, &request, scratch, buffer, 8, &len) == GATEPOST_OK);
  CHECK(len == 8 && memcmp(buffer, "/new/A?q", 8) == 0);
  CHECK(gatepost_rewrite_target(table, match.id, 1, &request, scratch, NULL, 8, &len) == GATEPOST_E_ARGUMENT);
  /* No match is of a CONNECT, whose target has no path. */
  {
    gatepost_request connect = request_of("CONNECT", "shop.example.com:443");
    CHECK(gatepost_rewrite_target(table, match.id, 1, &connect, scratch, buffer, 8, &len) == GATEPOST_NOT_IMPLEMENTED);
  }
  CHECK(is(gatepost_rewrite_host(table, match.id, 0), "inside.example.com"));

  CHECK(gatepost_mirror(table, match.id, GATEPOST_RULE, 0, 0, &backend) == GATEPOST_OK && is(backend.name, "shadow"));
  CHECK(backend.id != GATEPOST_NO_ID);
  CHECK(gatepost_mirror(table, match.id, GATEPOST_RULE, 0, UINT64_MAX, &backend) == GATEPOST_NO_BACKEND);
  CHECK(gatepost_mirror(table, match.id, GATEPOST_RULE, 1, 0, &backend) == GATEPOST_END);
  CHECK(gatepost_match_backend(table, match.id, 1, &backend) == GATEPOST_OK);
  CHECK(backend.work == (GATEPOST_WORK_REQUEST_HEADERS | GATEPOST_WORK_RESPONSE_HEADERS));

  request = request_of("GET", "/move?x=1");
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK && match.work == GATEPOST_WORK_REDIRECT);
  CHECK(gatepost_redirect(table, match.id, &request, scratch, buffer, sizeof buffer, &len, &status) == GATEPOST_OK && status == 308);
  CHECK(len == strlen("https://shop.example.com/moved?x=1") && memcmp(buffer, "https://shop.example.com/moved?x=1", len) == 0);

  request = request_of("OPTIONS", "/cors");
  headers[0].name = str("Origin");
  headers[0].value = str("https://a.example.com");
  headers[1].name = str("Access-Control-Request-Method");
  headers[1].value = str("PUT");
  request.headers = headers;
  request.headers_len = 2;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_OK && match.work == GATEPOST_WORK_CORS);
  log[0] = 0;
  CHECK(gatepost_preflight(table, match.id, &request, scratch, edited, log, &status) == GATEPOST_OK && status == 204);
  CHECK(strstr(log, "+access-control-allow-origin=https://a.example.com;") != NULL);
  CHECK(strstr(log, "+access-control-max-age=7;") != NULL);
  request.method = str("GET");
  CHECK(gatepost_preflight(table, match.id, &request, scratch, edited, log, &status) == GATEPOST_OK && status == 0);
  log[0] = 0;
  CHECK(gatepost_response_headers(table, match.id, 0, &request, edited, log) == GATEPOST_OK);
  CHECK(strstr(log, "-access-control-allow-origin=;") == log && strstr(log, "=access-control-allow-origin=https://a.example.com;") != NULL);
  CHECK(strstr(log, "+vary=Origin;") != NULL);
  CHECK(gatepost_response_headers(table, match.id, 0, NULL, edited, log) == GATEPOST_E_ARGUMENT);
  /* The header fields are all that it asks a request for. */
  {
    gatepost_request fields = GATEPOST_REQUEST_INIT;
    fields.headers = headers;
    fields.headers_len = 1;
    log[0] = 0;
    CHECK(gatepost_response_headers(table, match.id, 0, &fields, edited, log) == GATEPOST_OK);
    CHECK(strstr(log, "=access-control-allow-origin=https://a.example.com;") != NULL);
  }

  gatepost_scratch_free(scratch);
  gatepost_table_release(table);
}

/* A filter that the host does not carry out is never skipped. */
static void not_carried_out(void) {
  gatepost_resources *resources = gatepost_resources_new();
  gatepost_resolution *resolution = NULL;
  gatepost_table *table = NULL;
  gatepost_str any = GATEPOST_STR_INIT;
  gatepost_scratch *scratch = gatepost_scratch_new(NULL);
  gatepost_match match = GATEPOST_MATCH_INIT;
  const char *text = GATEWAY SERVICE("v1") ROUTE("r",
                                                 "  - matches: [{path: {value: /edit}}]\n"
                                                 "    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [Authorization]}}]\n"
                                                 "    backendRefs: [{name: v1, port: 8080}]\n"
                                                 "  - matches: [{path: {value: /plain}}]\n"
                                                 "    backendRefs: [{name: v1, port: 8080}]\n");
  CHECK(gatepost_resources_add(resources, str("t"), str(text), 0, NULL) == GATEPOST_OK);
  CHECK(gatepost_resolve(resources, NULL, &resolution, NULL) == GATEPOST_OK);
  CHECK(gatepost_resolution_table(resolution, any, any, &table, NULL) == GATEPOST_OK);
  CHECK(find(table, scratch, "/plain", &match) == GATEPOST_OK);
  CHECK(find(table, scratch, "/edit", &match) != GATEPOST_OK || (match.work & GATEPOST_WORK_FAULT));
  gatepost_scratch_free(scratch);
  gatepost_table_release(table);
  gatepost_resolution_free(resolution);
  gatepost_resources_free(resources);
}

static void misuse(void) {
  gatepost_table *table = table_of(SHOP);
  gatepost_scratch *scratch = gatepost_scratch_new(table);
  gatepost_request request = request_of("GET", "/cart");
  gatepost_match match = GATEPOST_MATCH_INIT;
  gatepost_backend backend = GATEPOST_BACKEND_INIT;
  gatepost_memory memory = GATEPOST_MEMORY_INIT;
  gatepost_error_info info = GATEPOST_ERROR_INFO_INIT;
  gatepost_options options = GATEPOST_OPTIONS_INIT;
  gatepost_resources *resources = gatepost_resources_new();
  gatepost_resolution *resolution = NULL;
  gatepost_table *none = NULL;
  gatepost_text *json = NULL;
  gatepost_error *error = NULL;
  gatepost_str any = GATEPOST_STR_INIT;
  gatepost_str wild_text = {NULL, 7};
  gatepost_str endless = {"x", (size_t)1 << 40};
  gatepost_str negative = {"x", (size_t)-1};
  gatepost_str not_utf8 = {"\xff", 1};
  static const uint32_t sizes[] = {0, 1, 3, 4, 8, sizeof(gatepost_match) - 1, 5000, UINT32_MAX};
  char buffer[8];
  size_t len = 0, i;
  uint32_t status = 0;
  gatepost_match_id id = {0, 0};

  /* NULL for every object. */
  CHECK(gatepost_find(NULL, &request, scratch, &match) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_find(table, NULL, scratch, &match) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_find(table, &request, NULL, &match) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_find(table, &request, scratch, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_resume(NULL, id, &match) == GATEPOST_E_ARGUMENT && gatepost_resume(table, id, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_pick(NULL, id, 0, &backend) == GATEPOST_E_ARGUMENT && gatepost_pick(table, id, 0, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_pick_key(NULL, id, any, &backend) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_pick_key(table, id, any, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_pick_other(NULL, id, 0, NULL, 0, &backend) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_match_backend(NULL, id, 0, &backend) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_match_backend(table, id, 0, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_table_backend(NULL, 0, &backend) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_table_backend(table, 0, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_request_headers(NULL, id, 0, edited, buffer) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_response_headers(NULL, id, 0, &request, edited, buffer) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_preflight(NULL, id, &request, scratch, edited, buffer, &status) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_preflight(table, id, &request, scratch, edited, buffer, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_rewrite_target(NULL, id, 0, &request, scratch, buffer, 8, &len) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_rewrite_target(table, id, 0, &request, scratch, buffer, 8, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_redirect(NULL, id, &request, scratch, buffer, 8, &len, &status) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_redirect(table, id, &request, scratch, buffer, 8, NULL, &status) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_redirect(table, id, &request, scratch, buffer, 8, &len, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_mirror(NULL, id, 0, 0, 0, &backend) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_rewrite_host(NULL, id, 0).ptr == NULL && gatepost_rewrite_host(table, id, 0).ptr == NULL);
  CHECK(gatepost_table_memory(NULL, &memory) == GATEPOST_E_ARGUMENT && gatepost_table_memory(table, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_table_retain(NULL) == NULL && gatepost_table_generation(NULL) == 0 && gatepost_table_attached(NULL) == NULL);
  CHECK(gatepost_table_attach(NULL, NULL, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_slot_new(NULL) == NULL && gatepost_slot_table(NULL) == NULL && gatepost_slot_publish(NULL, table) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_reader_new(NULL) == NULL && gatepost_reader_table(NULL) == NULL);
  CHECK(gatepost_error_len(NULL) == 0 && gatepost_error_get(NULL, 0, &info) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_resources_len(NULL) == 0 && gatepost_text_get(NULL).ptr == NULL);
  CHECK(gatepost_resources_add(NULL, any, any, 0, &error) == GATEPOST_E_ARGUMENT && gatepost_error_len(error) == 1);
  gatepost_error_free(error);
  CHECK(gatepost_resources_add(NULL, any, any, 0, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_resources_remove(NULL, any, any, any, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_resolve(NULL, NULL, &resolution, NULL) == GATEPOST_E_ARGUMENT && resolution == NULL);
  CHECK(gatepost_resolve(resources, NULL, NULL, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_resolution_table(NULL, any, any, &none, NULL) == GATEPOST_E_ARGUMENT && none == NULL);
  CHECK(gatepost_resolution_statuses(NULL, any, &json, NULL) == GATEPOST_E_ARGUMENT && json == NULL);
  /* Ending NULL does nothing. */
  gatepost_error_free(NULL);
  gatepost_text_free(NULL);
  gatepost_resources_free(NULL);
  gatepost_resolution_free(NULL);
  gatepost_table_release(NULL);
  gatepost_slot_free(NULL);
  gatepost_reader_free(NULL);
  gatepost_scratch_free(NULL);

  /* Sizes that cannot be; nothing is written then. */
  for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    match.size = sizes[i];
    match.rule_id = 12345;
    CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_E_ARGUMENT && match.rule_id == 12345);
    match.size = sizeof match;
    request.size = sizes[i] == sizeof(gatepost_match) - 1 ? sizeof request - 1 : sizes[i];
    CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_E_ARGUMENT);
    request.size = sizeof request;
  }
  backend.size = sizeof backend - 4;
  CHECK(gatepost_table_backend(table, 0, &backend) == GATEPOST_E_ARGUMENT);
  options.size = 4;
  CHECK(gatepost_resolve(resources, &options, &resolution, &error) == GATEPOST_E_ARGUMENT && resolution == NULL);
  gatepost_error_free(error);
  /* A struct from the future has more in it than the library knows. */
  {
    struct {
      gatepost_match known;
      uint64_t later;
    } future;
    memset(&future, 0x5a, sizeof future);
    future.known.size = sizeof future;
    CHECK(gatepost_find(table, &request, scratch, &future.known) == GATEPOST_OK);
    CHECK(future.later == 0x5a5a5a5a5a5a5a5au && future.known.size == sizeof future && is(future.known.route_name, "cart"));
  }
  /* Flags that are not known. */
  request.flags = 2;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_E_ARGUMENT);
  request.flags = 0;
  options.size = sizeof options;
  options.flags = 1;
  CHECK(gatepost_resolve(resources, &options, &resolution, NULL) == GATEPOST_E_ARGUMENT);
  options.flags = 0;
  options.carries_out = GATEPOST_WORK_AUTHORIZE;
  CHECK(gatepost_resolve(resources, &options, &resolution, NULL) == GATEPOST_E_ARGUMENT);
  options.carries_out = 0;
  options.path_policy = str("slashes=maybe");
  CHECK(gatepost_resolve(resources, &options, &resolution, &error) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_error_get(error, 0, &info) == GATEPOST_OK && strstr(info.message.ptr, "slashes=maybe") != NULL);
  gatepost_error_free(error);
  CHECK(gatepost_resources_add(resources, any, any, 4, NULL) == GATEPOST_E_ARGUMENT);
  /* Text that cannot be. */
  CHECK(gatepost_resources_add(resources, str("t"), wild_text, 0, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_resources_add(resources, str("t"), endless, 0, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_resources_add(resources, str("t"), negative, 0, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_resources_add(resources, not_utf8, any, 0, NULL) == GATEPOST_E_ARGUMENT);
  CHECK(gatepost_resources_add(resources, str("t"), not_utf8, 0, NULL) == GATEPOST_E_MANIFEST);
  request.target = wild_text;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_E_ARGUMENT);
  request.target = endless;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_E_ARGUMENT);
  request = request_of("GET", "/cart");
  request.headers_len = 1;
  CHECK(gatepost_find(table, &request, scratch, &match) == GATEPOST_E_ARGUMENT);

  gatepost_resources_free(resources);
  gatepost_scratch_free(scratch);
  gatepost_table_release(table);
}

int main(void) {
  versions();
  finding();
  misdirected();
  statuses();
  callbacks();
  picking();
  phases();
  errors();
  tables();
  steps();
  not_carried_out();
  misuse();
  puts("contract: all of it holds");
  return 0;
}
