/* Hands the bytes of files to entry_points.c, one file after the other. */
#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv) {
  int i;
  for (i = 1; i < argc; i++) {
    FILE *file = fopen(argv[i], "rb");
    uint8_t *bytes = (uint8_t *)malloc(1 << 16);
    size_t len;
    CHECK(file != NULL && bytes != NULL);
    len = fread(bytes, 1, 1 << 16, file);
    fclose(file);
    /* Said before, so that the last line names the file that does not hold. */
    fprintf(stderr, "%s\n", argv[i]);
    bytes = (uint8_t *)realloc(bytes, len == 0 ? 1 : len);
    CHECK(bytes != NULL);
    LLVMFuzzerTestOneInput(bytes, len);
    free(bytes);
  }
  return 0;
}
