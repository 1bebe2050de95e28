// Read the four files of `idxhub get NAME --to DIR --raw` and print the SHA-256 of the images and of the labels.
//
//     g++ -std=c++17 -O2 -Wall -Wextra -o read_idx read_idx.cpp -lcrypto     # OpenSSL
//     ./read_idx DIR

#include <openssl/evp.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

using Bytes = std::vector<unsigned char>;
struct Idx { std::size_t count; Bytes data; };

Idx read_idx(const std::filesystem::path& path, std::uint32_t magic) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(path.string() + ": cannot be opened");
    const auto read_u32 = [&file] {  // big-endian
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(file.get());
        return value;
    };
    if (read_u32() != magic) throw std::runtime_error(path.string() + ": wrong magic number");
    const std::size_t count = read_u32();
    std::size_t size = count;
    for (auto dims = magic & 0xff; dims > 1; --dims) size *= read_u32();
    Bytes data(std::istreambuf_iterator<char>(file), {});
    if (data.size() != size) throw std::runtime_error(path.string() + ": not as long as its header says");
    return {count, std::move(data)};
}

std::string sha256(const Bytes& bytes) {
    Bytes digest(EVP_MD_size(EVP_sha256()));
    EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    std::string hex;
    for (const auto byte : digest) hex += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
    return hex;
}

int main(int argc, char** argv) try {
    const std::string dir = argc > 1 ? argv[1] : ".";
    Bytes images, labels;
    for (const std::string name : {"/train", "/t10k"}) {
        const auto image = read_idx(dir + name + "-images-idx3-ubyte", 0x803);
        const auto label = read_idx(dir + name + "-labels-idx1-ubyte", 0x801);
        if (image.count != label.count) throw std::runtime_error(dir + name + ": not as many labels as images");
        images.insert(images.end(), image.data.begin(), image.data.end());
        labels.insert(labels.end(), label.data.begin(), label.data.end());
    }
    std::cout << "images " << sha256(images) << " labels " << sha256(labels) << '\n';
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
}
