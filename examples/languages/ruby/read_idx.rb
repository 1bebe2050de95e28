# Read the four files of `idxhub get NAME --to DIR` and print the SHA-256 of the images and of the labels.
#
#     ruby read_idx.rb DIR

require "digest"
require "zlib"

Idx = Struct.new(:shape, :data)

def read_idx(path, magic)
  bytes = Zlib::GzipReader.open(path, &:read)
  found, *shape = bytes.unpack("N#{1 + (magic & 0xff)}")
  raise "#{path}: wrong magic number" if found != magic
  raise "#{path}: no complete header" if shape.include?(nil)

  data = bytes.byteslice((4 + 4 * shape.size)..)
  raise "#{path}: #{data.bytesize} bytes of data, but the shape is #{shape}" if data.bytesize != shape.inject(:*)

  Idx.new(shape, data)
rescue Zlib::Error => e
  raise "#{path}: #{e.message}"
end

dir = ARGV.fetch(0)
images_digest = Digest::SHA256.new
labels_digest = Digest::SHA256.new
%w[train t10k].each do |name|
  images = read_idx(File.join(dir, "#{name}-images-idx3-ubyte.gz"), 0x803)
  labels = read_idx(File.join(dir, "#{name}-labels-idx1-ubyte.gz"), 0x801)
  if images.shape.first != labels.shape.first
    abort "#{name}: #{images.shape.first} images, #{labels.shape.first} labels"
  end

  images_digest << images.data
  labels_digest << labels.data
end
puts "images #{images_digest} labels #{labels_digest}"
