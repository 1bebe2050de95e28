//! Read the four files of `idxhub get NAME --to DIR` and print the SHA-256 of the images and of the labels.
//!
//!     cargo run --release -- DIR

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

struct Idx {
    shape: Vec<u32>,
    data: Vec<u8>,
}

fn read_u32(reader: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

fn read_idx(reader: &mut impl Read, magic: u32) -> Result<Idx, Box<dyn Error>> {
    if read_u32(reader)? != magic {
        return Err("wrong magic number".into());
    }
    let shape: io::Result<Vec<_>> = (0..magic & 0xff).map(|_| read_u32(reader)).collect();
    let shape = shape?;
    let mut data = Vec::new();
    reader.read_to_end(&mut data)?;
    if data.len() as u128 != shape.iter().map(|&n| u128::from(n)).product() {
        return Err(format!("{} bytes of data, but the shape is {shape:?}", data.len()).into());
    }
    Ok(Idx { shape, data })
}

fn read_gz(path: &str, magic: u32) -> Result<Idx, Box<dyn Error>> {
    let read = || read_idx(&mut GzDecoder::new(File::open(path)?), magic);
    read().map_err(|error| format!("{path}: {error}").into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = env::args().nth(1).ok_or("name the folder")?;
    let (mut images_sha256, mut labels_sha256) = (Sha256::new(), Sha256::new());
    for name in ["train", "t10k"] {
        let images = read_gz(&format!("{dir}/{name}-images-idx3-ubyte.gz"), 0x803)?;
        let labels = read_gz(&format!("{dir}/{name}-labels-idx1-ubyte.gz"), 0x801)?;
        if images.shape[0] != labels.shape[0] {
            return Err(format!("{name}: not as many labels as images").into());
        }
        images_sha256.update(&images.data);
        labels_sha256.update(&labels.data);
    }
    let (images, labels) = (images_sha256.finalize(), labels_sha256.finalize());
    println!("images {images:x} labels {labels:x}");
    Ok(())
}
