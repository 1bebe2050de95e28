// Read the four files of `idxhub get NAME --to DIR` and print the SHA-256 of the images and of the labels.
//
//	go run main.go DIR
package main

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"os"
)

// readIDX returns the number of examples, and their bytes.
func readIDX(path string, magic uint32) (uint32, []byte) {
	file, err := os.Open(path)
	check(path, err)
	defer file.Close()
	in, err := gzip.NewReader(file)
	check(path, err)
	header := make([]uint32, 1+magic&0xff) // the magic number, then the shape
	check(path, binary.Read(in, binary.BigEndian, header))
	if header[0] != magic {
		log.Fatalf("%s: magic number %#x, want %#x", path, header[0], magic)
	}
	data, err := io.ReadAll(in)
	check(path, err)
	size := uint64(1)
	for _, n := range header[1:] {
		size *= uint64(n)
	}
	if uint64(len(data)) != size {
		log.Fatalf("%s: %d bytes of data, but the shape is %d", path, len(data), header[1:])
	}
	return header[1], data
}

func check(path string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", path, err)
	}
}

func main() {
	log.SetFlags(0)
	images, labels := sha256.New(), sha256.New()
	for _, name := range []string{"/train", "/t10k"} {
		prefix := os.Args[1] + name
		imageCount, imageData := readIDX(prefix+"-images-idx3-ubyte.gz", 0x803)
		labelCount, labelData := readIDX(prefix+"-labels-idx1-ubyte.gz", 0x801)
		if imageCount != labelCount {
			log.Fatalf("%s: %d images, %d labels", prefix, imageCount, labelCount)
		}
		images.Write(imageData)
		labels.Write(labelData)
	}
	fmt.Printf("images %x labels %x\n", images.Sum(nil), labels.Sum(nil))
}
