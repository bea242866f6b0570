//! One published version of a feed, compressed once and ready to send.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

/// How a body is coded for its way to the client (RFC 9110 §8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// `gzip`: what every phone understands.
    Gzip,
    /// `br`: what browsers and Cloudflare ask for.
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
}

impl Coding {
    /// Every coding, the ones worth having first.
    pub const ALL: [Self; 4] = [Self::Zstd, Self::Brotli, Self::Gzip, Self::Identity];

    /// The name in `Content-Encoding` and `Accept-Encoding`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// `text` in this coding.
    ///
    /// # Errors
    /// Only if an encoder fails to write to memory.
    pub fn encode(self, text: &[u8]) -> std::io::Result<Bytes> {
        // Without the room that encoders leave: what is weighed is what is held.
        let tight = |bytes: Vec<u8>| Bytes::from(bytes.into_boxed_slice());
        Ok(match self {
            Self::Identity => Bytes::copy_from_slice(text),
            Self::Gzip => tight(gzip(text)?),
            Self::Brotli => tight(brotli(text)?),
            Self::Zstd => tight(zstd::bulk::compress(text, 6)?),
        })
    }
}

/// A feed's published text in every coding. Always derivable from a snapshot, so it lives in a cache.
#[derive(Debug)]
pub struct Edition {
    digest: [u8; 32],
    length: usize,
    /// zstd, brotli, gzip. The text itself is four fifths of what all of them take, and nobody asks for it: whoever does
    /// gets it from zstd.
    bodies: [Bytes; 3],
    etags: [Bytes; 4],
    /// The text for as long as it is being sent to somebody: a hundred requests of one connection hold one text, not a
    /// hundred.
    being_sent: Mutex<Weak<Vec<u8>>>,
}

/// A share in a text that is being sent.
struct Share(Arc<Vec<u8>>);

impl AsRef<[u8]> for Share {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Edition {
    /// Compresses `text`. Takes some milliseconds for an ordinary calendar: not for a thread that serves others.
    ///
    /// # Errors
    /// Only if an encoder fails to write to memory.
    pub fn new(text: &[u8]) -> std::io::Result<Self> {
        let hash = blake3::hash(text);
        let bodies = together([Coding::Zstd, Coding::Brotli, Coding::Gzip].map(|coding| coding.encode(text)))?;
        // A strong validator names the bytes sent, so each coding has its own (RFC 9110 §8.8.3).
        let name = hash.to_hex();
        let name = name.get(..32).unwrap_or_default();
        let etags = Coding::ALL.map(|coding| match coding {
            Coding::Identity => format!("\"{name}\"").into(),
            coding => format!("\"{name}-{}\"", coding.as_str()).into(),
        });
        Ok(Self { digest: *hash.as_bytes(), length: text.len(), bodies, etags, being_sent: Mutex::default() })
    }

    /// Digest of the text.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The body in `coding`. As it is, it is made for the asking: for a calendar of 20 MB that takes some 20 ms.
    ///
    /// # Errors
    /// Only if what was compressed cannot be decompressed.
    pub fn body(&self, coding: Coding) -> std::io::Result<Bytes> {
        let [zstd, brotli, gzip] = &self.bodies;
        Ok(match coding {
            Coding::Zstd => zstd.clone(),
            Coding::Brotli => brotli.clone(),
            Coding::Gzip => gzip.clone(),
            Coding::Identity => Bytes::from_owner(Share(self.text(zstd)?)),
        })
    }

    /// The text that is being sent, or made now. Whoever asks meanwhile waits for it and has the same.
    fn text(&self, zstd: &[u8]) -> std::io::Result<Arc<Vec<u8>>> {
        let mut being_sent = self.being_sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = being_sent.upgrade() {
            return Ok(text);
        }
        let text = Arc::new(zstd::bulk::decompress(zstd, self.length)?);
        *being_sent = Arc::downgrade(&text);
        Ok(text)
    }

    /// The text's first lines, `most` bytes of them at most, without the work that all of it takes.
    ///
    /// # Errors
    /// Only if what was compressed cannot be decompressed.
    pub fn beginning(&self, most: usize) -> std::io::Result<Vec<u8>> {
        let [zstd, ..] = &self.bodies;
        let mut text = Vec::new();
        zstd::stream::Decoder::new(&**zstd)?.take(most as u64).read_to_end(&mut text)?;
        text.truncate(memchr::memrchr(b'\n', &text).map_or(0, |end| end + 1));
        Ok(text)
    }

    /// Bytes of the body in `coding`.
    pub fn len(&self, coding: Coding) -> usize {
        let [zstd, brotli, gzip] = &self.bodies;
        match coding {
            Coding::Zstd => zstd.len(),
            Coding::Brotli => brotli.len(),
            Coding::Gzip => gzip.len(),
            Coding::Identity => self.length,
        }
    }

    /// The entity tag of the body in `coding`, quotes included.
    pub fn etag(&self, coding: Coding) -> Bytes {
        at(&self.etags, coding).clone()
    }

    /// Whether `opaque`, an entity tag without quotes and `W/`, names this edition in any coding. What follows a hyphen
    /// or semicolon is a coding: ours, or one that an intermediary put there.
    pub fn is_named(&self, opaque: &[u8]) -> bool {
        let end = opaque.iter().position(|byte| matches!(byte, b'-' | b';')).unwrap_or(opaque.len());
        let own = at(&self.etags, Coding::Identity);
        let own = own.get(1..own.len() - 1).unwrap_or_default();
        opaque.get(..end) == Some(own)
    }

    /// Bytes of memory it holds.
    pub fn size(&self) -> usize {
        taken(self.bodies.iter().map(Bytes::len).sum()) + 512
    }
}

/// `bodies` in one allocation: each large one takes a page of its own beside what it holds.
fn together(bodies: [std::io::Result<Bytes>; 3]) -> std::io::Result<[Bytes; 3]> {
    let [zstd, brotli, gzip] = bodies;
    let (zstd, brotli, gzip) = (zstd?, brotli?, gzip?);
    let (first, second) = (zstd.len(), zstd.len() + brotli.len());
    let whole = Bytes::from([zstd, brotli, gzip].concat());
    Ok([whole.slice(..first), whole.slice(first..second), whole.slice(second..)])
}

/// Bytes that an allocation of `len` takes. Allocators have four sizes to each doubling, and jemalloc begins a large
/// allocation anywhere in one more page.
fn taken(len: usize) -> usize {
    const PAGE: usize = 4 << 10;
    let size = len.next_multiple_of((len.next_power_of_two() / 8).max(16));
    if size < 4 * PAGE { size } else { size + PAGE }
}

fn at(of: &[Bytes; 4], coding: Coding) -> &Bytes {
    let [zstd, brotli, gzip, identity] = of;
    match coding {
        Coding::Zstd => zstd,
        Coding::Brotli => brotli,
        Coding::Gzip => gzip,
        Coding::Identity => identity,
    }
}

fn gzip(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(text.len() / 6), flate2::Compression::new(6));
    encoder.write_all(text)?;
    encoder.finish()
}

fn brotli(text: &[u8]) -> std::io::Result<Vec<u8>> {
    // Quality 5 is where the encoder is still faster than gzip's 9 and already smaller than it.
    let mut encoder = brotli::CompressorWriter::new(Vec::with_capacity(text.len() / 6), 64 << 10, 5, 22);
    encoder.write_all(text)?;
    encoder.flush()?;
    Ok(encoder.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coding_decodes_to_the_same_text() {
        let text: Vec<u8> = (0..50_000).flat_map(|at: u32| format!("SUMMARY:{}\r\n", at % 97).into_bytes()).collect();
        let edition = Edition::new(&text).unwrap();
        let mut gunzipped = Vec::new();
        flate2::read::GzDecoder::new(&edition.body(Coding::Gzip).unwrap()[..]).read_to_end(&mut gunzipped).unwrap();
        let mut unbrotlied = Vec::new();
        brotli::Decompressor::new(&edition.body(Coding::Brotli).unwrap()[..], 4096)
            .read_to_end(&mut unbrotlied)
            .unwrap();
        let unzstd = zstd::stream::decode_all(&edition.body(Coding::Zstd).unwrap()[..]).unwrap();
        assert_eq!([&gunzipped, &unbrotlied, &unzstd], [&text; 3]);
        assert_eq!(edition.body(Coding::Identity).unwrap(), text);
    }

    #[test]
    fn what_is_weighed_is_what_is_taken() {
        let sizes = [0, 1, 100, 128, 129, 20_000, 65_536, 65_537].map(taken);
        assert_eq!(sizes, [0, 16, 112, 128, 160, 24_576, 69_632, 86_016]);
    }

    #[test]
    fn a_beginning_has_whole_lines_only() {
        let edition = Edition::new(b"BEGIN:VCALENDAR\r\nX-WR-CALNAME:Work\r\nEND:VCALENDAR\r\n").unwrap();
        assert_eq!(edition.beginning(20).unwrap(), b"BEGIN:VCALENDAR\r\n");
        assert_eq!(edition.beginning(1_000).unwrap(), edition.body(Coding::Identity).unwrap());
        assert!(edition.beginning(10).unwrap().is_empty());
    }

    #[test]
    fn all_who_are_sent_the_text_at_one_time_hold_one_text() {
        let edition = Edition::new(&b"X".repeat(10_000)).unwrap();
        let (one, other) = (edition.body(Coding::Identity).unwrap(), edition.body(Coding::Identity).unwrap());
        assert_eq!(one.as_ptr(), other.as_ptr());
        drop((one, other));
        assert!(edition.being_sent.lock().unwrap().upgrade().is_none(), "nothing is held for nobody");
    }

    #[test]
    fn entity_tags_differ_by_coding_and_name_the_same_edition() {
        let edition = Edition::new(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n").unwrap();
        let tags: std::collections::HashSet<_> = Coding::ALL.map(|coding| edition.etag(coding)).into();
        assert_eq!(tags.len(), 4);
        for tag in &tags {
            assert!(edition.is_named(tag.strip_prefix(b"\"").unwrap().strip_suffix(b"\"").unwrap()));
        }
        assert!(!edition.is_named(b"00000000000000000000000000000000"));
        assert!(!edition.is_named(b""));
    }
}
