# Read the four files of `idxhub get NAME --to DIR` and print the SHA-256 of the images and of the labels.
#
#     Rscript read_idx.R DIR     # install.packages("digest")

read_idx <- function(path, magic) {
  con <- gzfile(path, "rb")
  on.exit(close(con))
  if (!identical(readBin(con, "integer", endian = "big"), magic)) {
    stop(path, ": wrong magic number")
  }
  shape <- readBin(con, "integer", n = bitwAnd(magic, 0xffL), endian = "big")
  data <- readBin(con, "raw", n = max(prod(shape), 0) + 1) # one more, to see that the file ends
  if (length(data) != prod(shape)) {
    stop(path, ": not as long as its header says")
  }
  list(count = shape[1], data = data)
}

read_split <- function(dir, name) {
  images <- read_idx(file.path(dir, paste0(name, "-images-idx3-ubyte.gz")), 0x803L)
  labels <- read_idx(file.path(dir, paste0(name, "-labels-idx1-ubyte.gz")), 0x801L)
  if (images$count != labels$count) {
    stop(name, ": ", images$count, " images, ", labels$count, " labels")
  }
  list(images = images$data, labels = labels$data)
}

sha256 <- function(bytes) digest::digest(bytes, algo = "sha256", serialize = FALSE)

dir <- commandArgs(trailingOnly = TRUE)[1]
train <- read_split(dir, "train")
test <- read_split(dir, "t10k")
images <- sha256(c(train$images, test$images))
labels <- sha256(c(train$labels, test$labels))
cat("images ", images, " labels ", labels, "\n", sep = "")
