//! What an archive is, by its first bytes: a file's name proves nothing.

use std::io::{self, BufReader, Read, Seek as _, SeekFrom};

/// Memory that a decompressor may take: an xz header may ask for 4 GiB.
const MEMORY: u64 = 256 << 20;

/// A kind of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Zip,
    Tar(Packing),
}

/// What a tar is packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Xz,
    Zstd,
    Bzip2,
}

impl Packing {
    /// The plain bytes of a file.
    pub(super) fn open(self, file: fs_err::File) -> io::Result<Box<dyn Read>> {
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(match self {
            Self::Plain => Box::new(file),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
            Self::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(MEMORY, liblzma::stream::CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(file, stream))
            }
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(file)?),
        })
    }
}

/// The plain bytes of a packed file; of any other, its own.
pub(super) fn open_packed(mut file: fs_err::File) -> io::Result<Box<dyn Read>> {
    match detect(&mut file)? {
        Some(Kind::Tar(packing)) => packing.open(file),
        Some(Kind::Zip) | None => Ok(Box::new(file)),
    }
}

/// Looks at the first bytes and goes back to the start.
pub(super) fn detect(file: &mut fs_err::File) -> io::Result<Option<Kind>> {
    let mut head = Vec::new();
    file.by_ref().take(512).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(by_head(&head))
}

fn by_head(head: &[u8]) -> Option<Kind> {
    let packed: [(&[u8], Kind); 6] = [
        (b"\x1f\x8b", Kind::Tar(Packing::Gzip)),
        (b"\xfd7zXZ\0", Kind::Tar(Packing::Xz)),
        (b"\x28\xb5\x2f\xfd", Kind::Tar(Packing::Zstd)),
        (b"BZh", Kind::Tar(Packing::Bzip2)),
        (b"PK\x03\x04", Kind::Zip),
        (b"PK\x05\x06", Kind::Zip),
    ];
    if let Some((_, kind)) = packed.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(*kind);
    }
    // `ustar` where every newer tar has it; the oldest have only their checksum.
    let is_tar = head.get(257..262) == Some(b"ustar") || is_old_tar(head) || (head.len() == 512 && is_zero(head));
    is_tar.then_some(Kind::Tar(Packing::Plain))
}

fn is_zero(head: &[u8]) -> bool {
    head.iter().all(|byte| *byte == 0)
}

fn is_old_tar(head: &[u8]) -> bool {
    if head.len() < 512 || is_zero(head) {
        return false;
    }
    let header = tar::Header::from_byte_slice(head);
    // The checksum's own eight bytes count as spaces.
    let bytes = head.iter().enumerate();
    let sum: u32 = bytes.map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    header.cksum().is_ok_and(|said| said == sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_is_an_archive() {
        for head in [&b""[..], b"PK", b"#!/bin/sh", b"<html>", &[7; 512]] {
            assert_eq!(by_head(head), None);
        }
        assert_eq!(by_head(&[0; 512]), Some(Kind::Tar(Packing::Plain)));
        let mut old = tar::Header::new_old();
        old.set_path("x").unwrap();
        old.set_size(0);
        old.set_cksum();
        assert_eq!(by_head(old.as_bytes()), Some(Kind::Tar(Packing::Plain)));
    }
}
