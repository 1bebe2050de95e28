-- Read the four files of `idxhub get NAME --to DIR --raw` and print the SHA-256 of the images and of the labels.
--
--     lua5.4 read_idx.lua DIR     # luarocks install luaossl

local digest = require "openssl.digest"

local function read_idx(path, magic)
  local file <close> = assert(io.open(path, "rb"))
  local dims = magic & 0xff
  local header = file:read(4 + 4 * dims)
  assert(header and #header == 4 + 4 * dims, path .. ": no complete header")
  assert(string.unpack(">I4", header) == magic, path .. ": wrong magic number")
  local size = 1
  for i = 1, dims do
    size = size * string.unpack(">I4", header, 1 + 4 * i)
  end
  local data = file:read("a")
  assert(#data == size, path .. ": not as long as its header says")
  return string.unpack(">I4", header, 5), data
end

local function hex(bytes)
  return (bytes:gsub(".", function(char) return ("%02x"):format(char:byte()) end))
end

local dir = ...
local images_sha256, labels_sha256 = digest.new("sha256"), digest.new("sha256")
for _, name in ipairs { "train", "t10k" } do
  local image_count, images = read_idx(dir .. "/" .. name .. "-images-idx3-ubyte", 0x803)
  local label_count, labels = read_idx(dir .. "/" .. name .. "-labels-idx1-ubyte", 0x801)
  assert(image_count == label_count, name .. ": not as many labels as images")
  images_sha256:update(images)
  labels_sha256:update(labels)
end
print("images " .. hex(images_sha256:final()) .. " labels " .. hex(labels_sha256:final()))
