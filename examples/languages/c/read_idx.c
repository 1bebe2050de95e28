/* Read the four files of `idxhub get NAME --to DIR` and print the SHA-256 of the images and of the labels.
 *
 *     cc -O2 -Wall -Wextra -o read_idx read_idx.c -lz -lcrypto     # zlib and OpenSSL
 *     ./read_idx DIR
 */
#include <err.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

struct idx { size_t count, size; unsigned char *data; };

static uint32_t read_u32(gzFile file, const char *path) {
    unsigned char b[4];
    if (gzread(file, b, 4) != 4) errx(EXIT_FAILURE, "%s: no complete header", path);
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static struct idx read_idx(const char *dir, const char *name, const char *suffix, uint32_t magic) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s-%s", dir, name, suffix);
    gzFile file = gzopen(path, "rb");
    if (!file) err(EXIT_FAILURE, "%s", path);
    if (read_u32(file, path) != magic) errx(EXIT_FAILURE, "%s: wrong magic number", path);
    struct idx idx = {.count = read_u32(file, path)};
    idx.size = idx.count;
    for (uint32_t dims = magic & 0xff; dims > 1; dims--) idx.size *= read_u32(file, path);
    if (!(idx.data = malloc(idx.size + 1))) err(EXIT_FAILURE, "%s", path);
    size_t length = gzfread(idx.data, 1, idx.size + 1, file); /* one byte more, to see that the file ends */
    if (length != idx.size || gzclose(file) != Z_OK)
        errx(EXIT_FAILURE, "%s: damaged, or not as long as its header says", path);
    return idx;
}

static void print_sha256(const char *before, const struct idx parts[2], const char *after) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (int i = 0; i < 2; i++) EVP_DigestUpdate(context, parts[i].data, parts[i].size);
    EVP_DigestFinal_ex(context, digest, &length);
    EVP_MD_CTX_free(context);
    fputs(before, stdout);
    for (unsigned int i = 0; i < length; i++) printf("%02x", digest[i]);
    fputs(after, stdout);
}

int main(int argc, char **argv) {
    const char *dir = argc > 1 ? argv[1] : ".", *names[] = {"train", "t10k"};
    struct idx images[2], labels[2];
    for (int i = 0; i < 2; i++) {
        images[i] = read_idx(dir, names[i], "images-idx3-ubyte.gz", 0x803);
        labels[i] = read_idx(dir, names[i], "labels-idx1-ubyte.gz", 0x801);
        if (images[i].count != labels[i].count) errx(EXIT_FAILURE, "%s: not as many labels as images", names[i]);
    }
    print_sha256("images ", images, " ");
    print_sha256("labels ", labels, "\n");
}
