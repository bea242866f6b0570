//! Reading an answer's body under a cap. Only gzip is asked for and only gzip is decoded: a brotli bomb grows 632,911
//! times its size, a gzip bomb 1,028 times, and either is stopped at the cap.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::error::FetchError;

/// Reads and decodes the whole of `body`, which `headers` belong to, up to `cap` decoded bytes.
pub(super) async fn read(headers: &HeaderMap, mut body: Incoming, cap: usize) -> Result<Vec<u8>, FetchError> {
    let mut decoder = Decoder::new(headers, cap)?;
    let mut received = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| FetchError::Interrupted)?;
        let Some(data) = frame.data_ref() else { continue };
        received = received.saturating_add(data.len());
        if received > cap {
            return Err(FetchError::TooLarge(cap));
        }
        decoder.write(data)?;
    }
    decoder.finish()
}

/// At most `cap` bytes of `body`, decoded as far as they can be: for looking at what an error says. No more than that is
/// received either, for compression can go on for ever and come to nothing.
pub(super) async fn peek(headers: &HeaderMap, mut body: Incoming, cap: usize) -> Vec<u8> {
    let Ok(mut decoder) = Decoder::new(headers, cap) else { return Vec::new() };
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

enum Decoder {
    Identity(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
}

impl Decoder {
    fn new(headers: &HeaderMap, cap: usize) -> Result<Self, FetchError> {
        let out = Capped { bytes: Vec::new(), cap, full: false };
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        let coding = codings.next().map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase());
        match (coding.as_deref(), codings.next()) {
            (None | Some(b"" | b"identity"), None) => Ok(Self::Identity(out)),
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

    fn out(&self) -> &Capped {
        match self {
            Self::Identity(out) => out,
            Self::Gzip(decoder) => decoder.get_ref(),
        }
    }

    fn finish(mut self) -> Result<Vec<u8>, FetchError> {
        if let Self::Gzip(decoder) = &mut self
            && decoder.try_finish().is_err()
        {
            return Err(self.failure());
        }
        Ok(self.into_partial())
    }

    fn into_partial(self) -> Vec<u8> {
        match self {
            Self::Identity(out) => out.bytes,
            Self::Gzip(mut decoder) => std::mem::take(&mut decoder.get_mut().bytes),
        }
    }
}

/// A buffer that refuses to grow beyond its cap.
struct Capped {
    bytes: Vec<u8>,
    cap: usize,
    full: bool,
}

impl Write for Capped {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = self.cap - self.bytes.len();
        if data.len() > room {
            self.bytes.extend_from_slice(data.get(..room).unwrap_or_default());
            self.full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
