//! Reading an answer's body under a cap. Only gzip is asked for and only gzip is decoded: a brotli bomb grows 632,911
//! times its size, a gzip bomb 1,028 times, and either is stopped at the cap.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::error::FetchError;
use super::space::Share;

/// Reads and decodes the whole of `body`, which `headers` belong to, up to `cap` decoded bytes. Nothing if it is larger
/// than `share` is and can become.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Incoming,
    cap: usize,
    share: &Share,
) -> Result<Option<Vec<u8>>, FetchError> {
    let mut decoder = Decoder::new(headers, cap, Some(share))?;
    let mut received = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| FetchError::Interrupted)?;
        let Some(data) = frame.data_ref() else { continue };
        received = received.saturating_add(data.len());
        if received > cap {
            return Err(FetchError::TooLarge(cap));
        }
        if let Err(error) = decoder.write(data) {
            return if decoder.out().no_space { Ok(None) } else { Err(error) };
        }
    }
    if let Err(error) = decoder.finish() {
        return if decoder.out().no_space { Ok(None) } else { Err(error) };
    }
    let text = decoder.into_partial();
    share.shrink(text.len());
    Ok(Some(text))
}

/// At most `cap` bytes of `body`, decoded as far as they can be: for looking at what an error says. No more than that is
/// received either, for compression can go on for ever and come to nothing.
pub(super) async fn peek(headers: &HeaderMap, mut body: Incoming, cap: usize) -> Vec<u8> {
    let Ok(mut decoder) = Decoder::new(headers, cap, None) else { return Vec::new() };
    let mut received = 0usize;
    while received <= cap
        && let Some(Ok(frame)) = body.frame().await
    {
        let Some(data) = frame.data_ref() else { continue };
        received = received.saturating_add(data.len());
        if decoder.write(data).is_err() {
            break;
        }
    }
    decoder.into_partial()
}

enum Decoder<'a> {
    Identity(Capped<'a>),
    Gzip(Box<MultiGzDecoder<Capped<'a>>>),
}

impl<'a> Decoder<'a> {
    fn new(headers: &HeaderMap, cap: usize, share: Option<&'a Share>) -> Result<Self, FetchError> {
        let mut out = Capped { bytes: Vec::new(), cap, full: false, no_space: false, expected: cap, share };
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        let coding = codings.next().map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase());
        match (coding.as_deref(), codings.next()) {
            (None | Some(b"" | b"identity"), None) => {
                let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
                out.expected = length.unwrap_or(cap).min(cap);
                Ok(Self::Identity(out))
            }
            (Some(b"gzip" | b"x-gzip"), None) => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(out)))),
            _ => Err(FetchError::UnknownCoding),
        }
    }

    fn write(&mut self, data: &[u8]) -> Result<(), FetchError> {
        let written = match self {
            Self::Identity(out) => out.write_all(data),
            Self::Gzip(decoder) => decoder.write_all(data),
        };
        written.map_err(|_| self.failure())
    }

    fn failure(&self) -> FetchError {
        let out = self.out();
        if out.full { FetchError::TooLarge(out.cap) } else { FetchError::BadCoding }
    }

    fn out(&self) -> &Capped<'a> {
        match self {
            Self::Identity(out) => out,
            Self::Gzip(decoder) => decoder.get_ref(),
        }
    }

    fn finish(&mut self) -> Result<(), FetchError> {
        if let Self::Gzip(decoder) = self
            && decoder.try_finish().is_err()
        {
            return Err(self.failure());
        }
        Ok(())
    }

    fn into_partial(self) -> Vec<u8> {
        match self {
            Self::Identity(out) => out.bytes,
            Self::Gzip(mut decoder) => std::mem::take(&mut decoder.get_mut().bytes),
        }
    }
}

/// A buffer that refuses to grow beyond its cap, and beyond what it has a share for.
struct Capped<'a> {
    bytes: Vec<u8>,
    cap: usize,
    full: bool,
    no_space: bool,
    /// How large it becomes, as far as that is known.
    expected: usize,
    share: Option<&'a Share>,
}

impl Write for Capped<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = self.cap - self.bytes.len();
        if data.len() > room {
            self.bytes.extend_from_slice(data.get(..room).unwrap_or_default());
            self.full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let longer = self.bytes.len() + data.len();
        // What was small and is not is given all it may come to need at once: a share that grew by and by could end up
        // with as much as all others, and none of them with enough.
        if let Some(share) = self.share {
            if share.covers() < longer && !share.grow(self.expected.max(longer)) {
                self.no_space = true;
                return Err(io::ErrorKind::StorageFull.into());
            }
            // In one go: a buffer that doubles is there twice while it does.
            if longer > self.bytes.capacity() && share.is_large() {
                let becomes = self.expected.min(share.covers()).max(longer);
                self.bytes.reserve_exact(becomes - self.bytes.len());
            }
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
