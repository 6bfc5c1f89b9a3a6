//! Compressed bytes, and what they are by their digest.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Read},
};

use ruzstd::decoding::{
    errors::{FrameDecoderError, ReadFrameHeaderError},
    FrameDecoder,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::failure::{refused, Failure, Result};

const BUFFER: usize = 64 << 10;

/// `sha256:` and 64 digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = Hash::default();
        hash.update(bytes);
        hash.digest()
    }

    /// A name for files.
    pub fn hex(&self) -> &str {
        &self.0
    }

    /// As much of it as people read.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }

    /// Of a layer on what is below it.
    pub fn chained(below: Option<&Self>, layer: &Self) -> Self {
        match below {
            None => layer.clone(),
            Some(below) => Self::of(format!("{below} {layer}").as_bytes()),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = Failure;

    fn try_from(text: String) -> Result<Self> {
        let hex = text.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() != 64 || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(refused(format!("{text:?} is no SHA-256 digest")));
        }
        Ok(Self(hex.to_owned()))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

/// A digest in the making.
#[derive(Default, Clone)]
pub struct Hash(Sha256);

impl Hash {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn digest(self) -> Digest {
        let bytes = self.0.finalize();
        Digest(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Hashes what is read through it.
pub struct Hashing<R> {
    from: R,
    hash: Hash,
}

impl<R: Read> Hashing<R> {
    pub fn new(from: R) -> Self {
        Self { from, hash: Hash::default() }
    }

    /// Of everything, with what nobody has read.
    pub fn digest(mut self) -> io::Result<Digest> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.hash.digest())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.hash.update(&into[..read]);
        Ok(read)
    }
}

/// What is in it, whichever way it is compressed. Its first bytes tell that: names of types are not to be
/// relied on.
pub fn decompressed<'a>(from: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut from = BufReader::with_capacity(BUFFER, from);
    let begin = from.fill_buf()?;
    Ok(if begin.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(from))
    } else if begin.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(Zstd { from, frame: FrameDecoder::new() })
    } else {
        Box::new(from)
    })
}

/// Frame after frame, without those that are to be skipped.
struct Zstd<R> {
    from: BufReader<R>,
    frame: FrameDecoder,
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        use ruzstd::decoding::BlockDecodingStrategy::UptoBytes;
        loop {
            if self.frame.can_collect() > 0 || into.is_empty() {
                return self.frame.read(into);
            }
            if !self.frame.is_finished() {
                let more = UptoBytes(into.len());
                self.frame.decode_blocks(&mut self.from, more).map_err(io::Error::other)?;
                continue;
            }
            if self.from.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.frame.init(&mut self.from) {
                Ok(()) => {}
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = (&mut self.from).take(length.into());
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn text(compressed: &[u8]) -> String {
        io::read_to_string(decompressed(compressed).unwrap()).unwrap()
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        to.write_all(text.as_bytes()).unwrap();
        to.finish().unwrap()
    }

    fn zstd(text: &str) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(
            text.as_bytes(),
            ruzstd::encoding::CompressionLevel::Fastest,
        )
    }

    #[test]
    fn what_is_compressed_is_told_by_its_first_bytes() {
        for bytes in [b"text".to_vec(), gzip("text"), zstd("text")] {
            assert_eq!(text(&bytes), "text");
        }
    }

    #[test]
    fn parts_that_were_compressed_one_by_one_are_one_text() {
        assert_eq!(text(&[gzip("te"), gzip("xt")].concat()), "text");
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        assert_eq!(text(&[zstd("te"), skipped, zstd("xt")].concat()), "text");
    }

    #[test]
    fn one_that_is_cut_off_is_an_error() {
        for bytes in [gzip("text"), zstd("text")] {
            let cut = &bytes[..bytes.len() - 2];
            assert!(io::read_to_string(decompressed(cut).unwrap()).is_err());
        }
    }

    #[test]
    fn a_digest_is_sha256_in_lower_case_and_nothing_else() {
        let good = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(Digest::try_from(good.clone()).unwrap().to_string(), good);
        for bad in [
            format!("sha256:{}", "0A".repeat(32)),
            format!("sha256:{}", "0a".repeat(31)),
            format!("sha256:../{}", "a".repeat(61)),
            format!("sha512:{}", "0a".repeat(64)),
            String::new(),
        ] {
            assert!(Digest::try_from(bad).is_err());
        }
    }
}
