//! Reading an answer's body under a cap. Only gzip is asked for and only gzip is decoded: a brotli bomb grows 632,911
//! times its size, a gzip bomb 1,028 times, and either is stopped at the cap.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::Instant;

use super::error::FetchError;
use super::space::Share;

/// In how long a host must send how much of a body that is not at its end. One that drips would hold, to the last moment
/// that a fetch may take, a place that others need. A slow line is a hundred times as fast.
const PACE: (Duration, usize) = (Duration::from_secs(20), 8 << 10);

/// Reads and decodes the whole of `body`, which `headers` belong to, up to `cap` decoded bytes. Nothing if it is larger
/// than `share` is and can become.
pub(super) async fn read<B>(
    headers: &HeaderMap,
    mut body: B,
    cap: usize,
    share: &Share,
) -> Result<Option<Vec<u8>>, FetchError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut decoder = Decoder::new(headers, cap, Some(share))?;
    let (mut received, mut expected) = (0usize, PACE.1);
    let mut until = Instant::now() + PACE.0;
    loop {
        let Ok(frame) = tokio::time::timeout_at(until, body.frame()).await else {
            if received < expected {
                return Err(FetchError::Timeout { phase: "more of the body", limit: PACE.0 });
            }
            (expected, until) = (received + PACE.1, Instant::now() + PACE.0);
            continue;
        };
        let Some(frame) = frame else { break };
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;
    use tokio::time::Sleep;

    use super::super::space::Space;
    use super::*;

    /// So many bytes at once, again and again after a pause.
    struct Drip(usize, Duration, Pin<Box<Sleep>>);

    impl Body for Drip {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            std::task::ready!(self.2.as_mut().poll(cx));
            self.2 = Box::pin(tokio::time::sleep(self.1));
            Poll::Ready(Some(Ok(Frame::data(vec![b'x'; self.0].into()))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_drips_is_given_up_long_before_the_fetch_must_end_and_a_slow_one_is_not() {
        for (bytes, pause, slow) in [(1, 1, true), (4000, 11, true), (0, 1, true), (500, 1, false), (9000, 19, false)] {
            let pause = Duration::from_secs(pause);
            let began = Instant::now();
            let body = Drip(bytes, pause, Box::pin(tokio::time::sleep(pause)));
            let share = Space::new(100_000).share(0);
            let ended = read(&HeaderMap::new(), body, 100_000, &share).await;
            let given_up = matches!(ended, Err(FetchError::Timeout { .. }));
            assert_eq!(given_up, slow, "{bytes} bytes each {pause:?}: {ended:?}");
            assert!(given_up == (began.elapsed() <= PACE.0 * 2), "{bytes} bytes each {pause:?}");
        }
    }
}
